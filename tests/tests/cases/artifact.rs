//! The compiled program itself: what it carries, and what it leaves in the log.

use keel_tests::{Asset, World, program_file};

#[test]
fn the_bytecode_carries_its_security_contacts() {
    let file = program_file("keel").expect("the program is built");
    let bytes = std::fs::read(file).expect("readable");
    let marker = b"=======BEGIN SECURITY.TXT V1=======\0name\0Keel\0";
    assert!(bytes.windows(marker.len()).any(|window| window == marker));
}

/// Solana's loader takes programs of up to 10 MiB; rent and upload time ask for far less.
#[test]
fn the_bytecode_stays_small() {
    let file = program_file("keel").expect("the program is built");
    let bytes = std::fs::metadata(file).expect("readable").len();
    assert!(bytes < 3_000_000, "{bytes} bytes");
}

#[test]
fn success_logs_nothing_but_the_event() {
    let mut world = World::new().expect("a world");
    world.provide(1_000_000).expect("liquidity");
    let trader = world.trader_with(10_000).expect("a trader");
    let sent = [
        world.deposit(&trader, Asset::Usdc, 1).expect("deposit"),
        world.open(&trader, Asset::Sol, 1_000).expect("open"),
        world.close(&trader, Asset::Sol, -1_000).expect("close"),
        world.withdraw(&trader, Asset::Usdc, 1).expect("withdraw"),
        world.relay(&[Asset::Sol]).expect("relay"),
    ];
    for logs in sent.iter().map(|sent| &sent.logs) {
        let depth_one: Vec<&String> = own_lines(logs);
        assert!(
            depth_one
                .iter()
                .all(|line| line.starts_with("Program data: ")),
            "{logs:#?}"
        );
        assert_eq!(depth_one.len(), 1, "{logs:#?}");
    }
}

/// What Keel itself wrote: lines between its start and its end that are not another program's.
fn own_lines(logs: &[String]) -> Vec<&String> {
    let keel = format!("Program {} ", keel::ID);
    let mut inside: Vec<bool> = Vec::new();
    let mut own = Vec::new();
    for line in logs {
        if line.contains(" invoke [") {
            inside.push(line.starts_with(&keel));
        } else if line.ends_with(" success") {
            inside.pop();
        } else if inside.last() == Some(&true) && !line.contains(" consumed ") {
            own.push(line);
        }
    }
    own.retain(|line| !line.starts_with("Program return: "));
    own
}
