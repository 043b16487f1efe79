//! A timer of the kernel's (timerfd_create(2)). The runtime's own timers go by whole milliseconds and are rounded up on
//! the way: what is due at a moment came 1–2 ms later, measured at a gate.
//!
//! Must never know: what is due. Times are the caller's µs; the two clocks run alike.

use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

pub struct Timer {
    /// `None`: the system gave none; the runtime's timers do instead.
    kernel: Option<AsyncFd<OwnedFd>>,
    /// What it is set to.
    set_us: Option<u64>,
}

impl Timer {
    /// To be called within the runtime that waits for it.
    #[expect(deprecated, reason = "its successor is unsafe for types that may lie about their descriptor; an OwnedFd does not")]
    pub fn start() -> Self {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC);
        let kernel = fd.map_err(std::io::Error::from).and_then(AsyncFd::new);
        if let Err(e) = &kernel {
            tracing::warn!("the system gives no timer ({e}): what is due comes up to 2 ms later");
        }
        Self { kernel: kernel.ok(), set_us: None }
    }

    /// Waits until `at_us`; at once if that has passed. May be dropped while it waits, and asked again for another time.
    pub async fn until(&mut self, at_us: u64, now_us: u64) {
        if at_us <= now_us {
            return;
        }
        let left = Duration::from_micros(at_us - now_us);
        let Some(kernel) = &self.kernel else { return tokio::time::sleep(left).await };
        if self.set_us != Some(at_us) {
            let once = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() },
            };
            if timerfd_settime(kernel.get_ref(), TimerfdTimerFlags::empty(), &once).is_err() {
                return tokio::time::sleep(left).await;
            }
            self.set_us = Some(at_us);
        }
        loop {
            let Ok(mut ready) = kernel.readable().await else { return };
            // Eight bytes: how often it ran out since it was set.
            match rustix::io::read(kernel.get_ref(), &mut [0u8; 8]) {
                // Ran out under an earlier setting: this one is still to come.
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                _ => break,
            }
        }
        self.set_us = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[tokio::test]
    async fn it_waits_as_long_as_it_was_last_told() {
        let began = Instant::now();
        let now_us = || began.elapsed().as_micros() as u64;
        let mut t = Timer::start();
        t.until(1, 2).await;
        t.until(3_000, now_us()).await;
        assert!(now_us() >= 2_900);
        // Dropped while it waits, run out meanwhile, and set anew.
        let first = now_us() + 1_000;
        tokio::select! {
            biased;
            () = t.until(first, now_us()) => panic!("it is not yet time"),
            () = std::future::ready(()) => {}
        }
        std::thread::park_timeout(Duration::from_millis(3));
        let second = now_us() + 20_000;
        t.until(second, now_us()).await;
        assert!(now_us() >= second - 100, "the earlier setting does not count");
        // Dropped, run out, and asked again for the same.
        let third = now_us() + 500;
        tokio::select! {
            biased;
            () = t.until(third, now_us()) => panic!("it is not yet time"),
            () = std::future::ready(()) => {}
        }
        std::thread::park_timeout(Duration::from_millis(2));
        tokio::time::timeout(Duration::from_secs(5), t.until(third, third - 1)).await.expect("it has run out");
    }
}
