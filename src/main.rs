//! The thin end: words in, exit code out.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(packmark::cli::main())
}
