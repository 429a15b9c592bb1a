//! What X asks for its calls on the pay-per-use plan, in millionths of a US dollar
//! (<https://docs.x.com/x-api/getting-started/pricing>, prices of 2026-04-20).

use crate::domain::media::Medium;
use crate::domain::text;
use crate::platforms::Prices;

/// A created post.
const CREATE_MICRO_USD: u64 = 15_000;
/// A created post with an address in it.
const CREATE_WITH_URL_MICRO_USD: u64 = 200_000;
/// The description of a medium.
const METADATA_MICRO_USD: u64 = 5_000;
/// What else a post may cause.
pub const PRICES: Prices = Prices {
    read_micro_usd: 5_000,
    delete_micro_usd: 10_000,
    read_account_micro_usd: 10_000,
};

/// What publishing one part costs.
#[must_use]
pub fn part_cost_micro_usd(text: &str, media: &[Medium]) -> u64 {
    let has_url = !text::urls(text).is_empty();
    let create = if has_url {
        CREATE_WITH_URL_MICRO_USD
    } else {
        CREATE_MICRO_USD
    };
    let described = media.iter().filter(|medium| medium.alt_text.is_some()).count() as u64;
    create + described * METADATA_MICRO_USD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::media::{MediaId, MediaKind};

    #[test]
    fn addresses_and_descriptions_cost_more() {
        let medium = |alt_text: Option<&str>| Medium {
            id: MediaId(String::new()),
            kind: MediaKind::Image,
            mime: "image/png".to_owned(),
            bytes: 1,
            width: None,
            height: None,
            duration_ms: None,
            alt_text: alt_text.map(str::to_owned),
            title: None,
        };
        for (text, media, cost) in [
            ("hello", vec![], 15_000),
            ("see example.com", vec![], 200_000),
            ("hello", vec![medium(None)], 15_000),
            (
                "hello",
                vec![medium(Some("a")), medium(None), medium(Some("b"))],
                25_000,
            ),
            ("see https://example.com/a", vec![medium(Some("a"))], 205_000),
        ] {
            assert_eq!(part_cost_micro_usd(text, &media), cost, "{text}");
        }
    }
}
