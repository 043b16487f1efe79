//! Our Hitachi conversation, through the real driver, against pymodbus with the printer's registers.

use super::*;
use packmark::vocab::{CodeRef, PackNo};
use std::io::Write;

impl Server {
    fn say(&mut self, words: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{words}").and_then(|()| stdin.flush()).expect("it listens");
    }
}

fn code(n: u32) -> (CodeRef, Vec<u8>) {
    // Longer than one write may carry, and of different lengths.
    (CodeRef::new(PackNo(1), n), format!("HTTPS://Q.EXAMPLE/{}/{n}", "A1b2".repeat(14 + n as usize % 3)).into_bytes())
}

#[tokio::test]
async fn our_hitachi_conversation_and_pymodbus_understand_each_other() {
    let mut server = Server::of("hitachi.py");
    let port = server.next().strip_prefix("port ").and_then(|p| p.parse().ok()).expect("port N");
    let address = Address::Tcp { host: "127.0.0.1".into(), port };
    let (driven, mut told) = drive_at("hitachi-modbus", address, &[], Place::default());
    driven.orders.send(Order::Arm { message: None, fields: vec![] }).await.unwrap();
    assert_eq!(next(&mut told).await, Report::Up { identity: None });
    // It began offline, and was put online.
    assert_eq!(next(&mut told).await, Report::Ready { cleared: false });
    for n in 0..20 {
        let (code, bytes) = code(n);
        let text = String::from_utf8(bytes.clone()).unwrap();
        driven.orders.send(Order::Print { code, bytes }).await.unwrap();
        assert_eq!(next(&mut told).await, Report::Taken { code });
        server.say("thing");
        assert_eq!(server.next(), format!("ink {text}"));
        assert_eq!(next(&mut told).await, Report::Printed { count: 1 });
    }
    server.say("offline");
    assert_eq!(server.next(), "offline");
    let (code, bytes) = code(20);
    driven.orders.send(Order::Print { code, bytes }).await.unwrap();
    match next(&mut told).await {
        Report::NotReady { why } => assert!(why.contains("exception 02") || why.contains("offline"), "{why}"),
        other => panic!("expected not ready, got {other:?}"),
    }
    drop(driven.orders);
    while told.recv().await.is_some() {}
    driven.task.await.unwrap();
    server.end();
}
