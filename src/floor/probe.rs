//! `packmark profile probe`: what stands at an address? It is listened to, then asked harmless questions (`wire::probe`),
//! one at a time, with a pause after each; once a profile understands an answer only its own are asked.
//!
//! Must never know: how a result is shown.

use super::clock::Clock;
use crate::device::{Link, Port};
use crate::profile::Bound;
use crate::vocab::plan::Address;
use crate::wire::probe::{Question, Understood, questions, recognised, understood};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// It is listened to before anything is asked.
const LISTEN: Duration = Duration::from_millis(700);
/// Nothing more belongs to an answer after this silence.
const QUIET: Duration = Duration::from_millis(150);
/// Between two questions: a slow device has ended with one before the next comes.
const GAP: Duration = Duration::from_millis(250);
/// Somebody who is to connect to us has so long.
const ARRIVAL: Duration = Duration::from_secs(60);
/// More is no answer.
const MOST: usize = 16_384;

/// What to find out, and where.
pub struct Probe<'a> {
    pub address: Address,
    pub folder: &'a Path,
    /// Profiles that may fit, the likeliest first.
    pub candidates: Vec<Bound>,
    /// In the place of the profiles' own patience.
    pub timeout: Option<Duration>,
}

/// What was seen, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// We listen, and wait so long for the device to connect.
    Waits { seconds: u64 },
    /// It is linked; `false`: again, after it hung up.
    Linked { first: bool },
    /// Bytes that came unasked, and the readers' profiles that know such frames, each with what it makes of them.
    Unasked { bytes: Vec<u8>, known: Vec<(String, Vec<String>)> },
    /// A question of these profiles and its answer (empty: none); `hung_up`: the link was dropped for it.
    Asked { profiles: Vec<String>, question: Question, answer: Vec<u8>, known: Vec<(String, Understood)>, hung_up: bool },
}

/// Tells everything as it is seen. `Err`: it cannot be reached.
pub fn probe(p: &Probe<'_>, told: &mut dyn FnMut(Seen)) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Probing { port: Port::new(p.address.clone(), None, p.folder.into()), link: None, linked: false }.run(p, told))
}

struct Probing {
    port: Port,
    link: Option<Box<dyn Link>>,
    linked: bool,
}

impl Probing {
    async fn run(&mut self, p: &Probe<'_>, told: &mut dyn FnMut(Seen)) -> io::Result<()> {
        self.open(told).await?;
        self.unasked(LISTEN, p, told).await;
        let serial = matches!(p.address, Address::Serial { .. });
        // Profiles with the same question share it.
        let mut all: Vec<(Question, Vec<usize>)> = Vec::new();
        for (i, b) in p.candidates.iter().enumerate() {
            for q in questions(b, serial) {
                match all.iter_mut().find(|(other, _)| other.bytes == q.bytes) {
                    Some((_, askers)) if askers.contains(&i) => {}
                    Some((_, askers)) => askers.push(i),
                    None => all.push((q, vec![i])),
                }
            }
        }
        let mut found: Vec<usize> = Vec::new();
        // What a stranger said before may still lie half in its input and spoil a question: one whose answer nobody
        // understands is asked once more.
        let mut asking: VecDeque<(Question, Vec<usize>, bool)> = all.into_iter().map(|(q, askers)| (q, askers, true)).collect();
        while let Some((question, askers, first)) = asking.pop_front() {
            if !found.is_empty() && !askers.iter().any(|a| found.contains(a)) {
                continue;
            }
            if self.link.is_none() {
                sleep(GAP).await;
                self.open(told).await?;
            }
            let patience = p.timeout.unwrap_or(Duration::from_millis(question.timeout_ms.into()));
            let (answer, hung_up) = self.ask(&question.bytes, patience).await;
            let read = |i: &usize| {
                let own = questions(&p.candidates[*i], serial).into_iter().find(|q| q.bytes == question.bytes)?;
                Some((*i, understood(&p.candidates[*i], serial, &own, &answer)?))
            };
            let read: Vec<(usize, Understood)> = askers.iter().filter_map(read).collect();
            found.extend(read.iter().filter(|(_, u)| u.certain).map(|(i, _)| *i));
            if first && read.is_empty() && !answer.is_empty() && answer != question.bytes {
                asking.push_front((question.clone(), askers.clone(), false));
            }
            let name = |i: &usize| p.candidates[*i].profile.name.clone();
            told(Seen::Asked {
                profiles: askers.iter().map(name).collect(),
                question,
                known: read.iter().map(|(i, u)| (name(i), u.clone())).collect(),
                answer,
                hung_up,
            });
            self.unasked(GAP, p, told).await;
        }
        Ok(())
    }

    async fn open(&mut self, told: &mut dyn FnMut(Seen)) -> io::Result<()> {
        if let Address::Listen { .. } = self.port.address() {
            told(Seen::Waits { seconds: ARRIVAL.as_secs() });
        }
        let nobody = || io::Error::new(io::ErrorKind::TimedOut, format!("nobody connected within {} s", ARRIVAL.as_secs()));
        self.link = Some(timeout(ARRIVAL, self.port.open()).await.map_err(|_| nobody())??.link);
        told(Seen::Linked { first: !std::mem::replace(&mut self.linked, true) });
        Ok(())
    }

    /// What comes without a question, for so long.
    async fn unasked(&mut self, patience: Duration, p: &Probe<'_>, told: &mut dyn FnMut(Seen)) {
        let bytes = self.hear(patience).await;
        if bytes.is_empty() {
            return;
        }
        let known = p.candidates.iter().filter_map(|b| Some((b.profile.name.clone(), recognised(b, &bytes)?))).collect();
        told(Seen::Unasked { bytes, known });
    }

    async fn ask(&mut self, question: &[u8], patience: Duration) -> (Vec<u8>, bool) {
        let Some(link) = &mut self.link else { return (Vec::new(), true) };
        let sent = timeout(patience, async {
            link.write_all(question).await?;
            link.flush().await
        });
        if !matches!(sent.await, Ok(Ok(()))) {
            self.link = None;
            return (Vec::new(), true);
        }
        (self.hear(patience).await, self.link.is_none())
    }

    /// What comes until it has been quiet: at first for `patience`, then for a moment. The link is gone after its end.
    async fn hear(&mut self, patience: Duration) -> Vec<u8> {
        let (clock, mut bytes, mut buf) = (Clock::start(0), Vec::new(), [0; 1_024]);
        let most_us = patience.as_micros() as u64;
        while bytes.len() < MOST {
            let Some(link) = &mut self.link else { break };
            let left_us = most_us.saturating_sub(clock.mono_us());
            // Whoever never stops talking is heard no longer than one who answers late.
            let wait = if bytes.is_empty() { Duration::from_micros(left_us) } else { QUIET };
            match timeout(wait, link.read(&mut buf)).await {
                Ok(Ok(n)) if n > 0 => bytes.extend(&buf[..n]),
                Ok(_) => self.link = None,
                Err(_) => break,
            }
            if clock.mono_us() > most_us + QUIET.as_micros() as u64 * 4 {
                break;
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profiles;
    use std::collections::BTreeMap;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn candidates(names: &[&str]) -> Vec<Bound> {
        let all = Profiles::load(None).unwrap();
        names.iter().map(|n| all.bind(n, &BTreeMap::new()).unwrap()).collect()
    }

    /// A device that answers what `answer` says and hangs up after each answer where `once`.
    fn device(once: bool, answer: fn(&[u8]) -> Vec<u8>) -> (Address, std::thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(false).unwrap();
        let served = std::thread::spawn(move || {
            let mut heard = Vec::new();
            'links: while let Ok((mut s, _)) = listener.accept() {
                let mut buf = [0; 256];
                loop {
                    match s.read(&mut buf) {
                        Ok(n) if n > 0 => {
                            heard.extend(&buf[..n]);
                            let said = answer(&buf[..n]);
                            s.write_all(&said).unwrap();
                            if once && !said.is_empty() {
                                continue 'links;
                            }
                        }
                        _ => break 'links,
                    }
                }
            }
            heard
        });
        (Address::Tcp { host: "127.0.0.1".into(), port }, served)
    }

    fn run(address: Address, names: &[&str]) -> Vec<Seen> {
        let mut all = Vec::new();
        let p = Probe { address, folder: Path::new("."), candidates: candidates(names), timeout: Some(Duration::from_millis(120)) };
        probe(&p, &mut |s| all.push(s)).unwrap();
        all
    }

    #[test]
    fn what_answers_is_named_and_nobody_else_asks_any_more() {
        let (address, served) = device(false, |asked| if asked == b"\x1bA?\x04" { b"\x1bA0156\x04".to_vec() } else { Vec::new() });
        let seen = run(address, &["videojet-zipher", "domino-codenet", "zebra-zpl"]);
        let known: Vec<_> = seen.iter().filter_map(|s| if let Seen::Asked { known, .. } = s { known.first() } else { None }).collect();
        assert_eq!(known.len(), 1, "{seen:?}");
        assert_eq!((known[0].0.as_str(), known[0].1.says.as_str()), ("domino-codenet", "identity 0156"));
        let heard = served.join().unwrap();
        assert!(heard.ends_with(b"\x1bA?\x04"), "nothing is asked after it: {}", heard.escape_ascii());
    }

    #[test]
    fn a_question_that_was_spoiled_by_the_one_before_is_asked_again() {
        // It ends a command at CR; what came before without one stands in front of it.
        let (address, _served) = device(false, |asked| match asked {
            b"KEYENCE\r" => {
                static SPOILED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);
                let spoiled = SPOILED.swap(false, std::sync::atomic::Ordering::Relaxed);
                if spoiled { b"ER,KEYENCE,00\r".to_vec() } else { b"OK,KEYENCE,SR-750,1.00\r".to_vec() }
            }
            _ => Vec::new(),
        });
        let seen = run(address, &["domino-codenet", "keyence-sr"]);
        let known = seen.iter().filter(|s| matches!(s, Seen::Asked { known, .. } if known.iter().any(|k| k.0 == "keyence-sr"))).count();
        let asked = seen.iter().filter(|s| matches!(s, Seen::Asked { question, .. } if question.bytes == b"KEYENCE\r")).count();
        assert_eq!((known, asked), (1, 2), "{seen:?}");
    }

    #[test]
    fn a_device_that_hangs_up_after_each_answer_is_asked_on() {
        let (address, served) = device(true, |_| b"?\r".to_vec());
        let seen = run(address, &["videojet-zipher", "keyence-sr"]);
        let asked = seen.iter().filter(|s| matches!(s, Seen::Asked { hung_up: true, answer, .. } if answer == b"?\r")).count();
        let linked = seen.iter().filter(|s| matches!(s, Seen::Linked { .. })).count();
        assert!(asked >= 2 && linked >= asked, "{seen:?}");
        drop(served);
    }
}
