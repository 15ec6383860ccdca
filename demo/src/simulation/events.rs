//! Events out of a transaction's logs.

use anchor_lang::{AnchorDeserialize, Discriminator};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keel_sdk::decode;

const PREFIX: &str = "Program data: ";

/// The events of one type that the logs tell of.
pub fn all<T: Discriminator + AnchorDeserialize>(logs: &[String]) -> impl Iterator<Item = T> {
    logs.iter()
        .filter_map(|line| line.strip_prefix(PREFIX))
        .filter_map(|text| STANDARD.decode(text).ok())
        .filter_map(|data| decode::event::<T>(&data))
}

/// The first of them.
pub fn first<T: Discriminator + AnchorDeserialize>(logs: &[String]) -> Option<T> {
    all(logs).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keel::events::Liquidated;

    #[test]
    fn logs_without_the_event_give_none() {
        let logs = ["Program log: x", "Program data: AAAA", "Program data: ?"];
        assert!(first::<Liquidated>(&logs.map(str::to_owned)).is_none());
    }
}
