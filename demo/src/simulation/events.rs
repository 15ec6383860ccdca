//! Events out of a transaction's logs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keel::events::Liquidated;
use keel_sdk::decode;

const PREFIX: &str = "Program data: ";

/// The liquidation that the logs tell of.
pub fn liquidated(logs: &[String]) -> Option<Liquidated> {
    logs.iter()
        .filter_map(|line| line.strip_prefix(PREFIX))
        .filter_map(|text| STANDARD.decode(text).ok())
        .find_map(|data| decode::event::<Liquidated>(&data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_without_the_event_give_none() {
        let logs = ["Program log: x", "Program data: AAAA", "Program data: ?"];
        assert!(liquidated(&logs.map(str::to_owned)).is_none());
    }
}
