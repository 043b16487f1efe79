//! Everything is in the library; this hands its exit code to the shell.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(packmark::cli::main())
}
