//! Sealing against Wycheproof's vectors for AES-GCM.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use psn::store::Secret;
use psn::store::seal::{Key, NONCE_BYTES, Place, Sealer, TAG_BYTES};
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

const PLACE: Place<'static> = Place {
    user: "default",
    platform: "x",
    account: "a",
    field: "access_token",
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every vector with a 256-bit key: what we use is right, and any other nonce or tag is refused.
#[test]
fn wycheproof_vectors() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let (mut ours, mut refused, mut in_legacy_form) = (0, 0, 0);
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        for test in &group.tests {
            let key = Key::new(&<[u8; 32]>::try_from(test.key.as_ref()).unwrap());
            let (nonce, associated, plain) = (test.nonce.as_ref(), test.aad.as_ref(), test.pt.as_ref());
            let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
            let opened = key.open(nonce, &sealed, associated);
            let fits = nonce.len() == NONCE_BYTES && test.tag.len() == TAG_BYTES;
            if !fits || test.result == TestResult::Invalid {
                assert_eq!(opened, None, "vector {}: {}", test.tc_id, test.comment);
                refused += 1;
                continue;
            }
            assert_eq!(
                opened.as_deref(),
                Some(plain),
                "vector {}: {}",
                test.tc_id,
                test.comment
            );
            let again = key.seal(nonce.try_into().unwrap(), plain, associated);
            assert_eq!(again, Some(sealed), "vector {}: {}", test.tc_id, test.comment);
            ours += 1;

            // The legacy form of the same value, where that can exist: no associated data, a text.
            if let (true, Ok(text)) = (associated.is_empty(), std::str::from_utf8(plain)) {
                let stored = STANDARD.encode([nonce, test.tag.as_ref(), test.ct.as_ref()].concat());
                let sealer = Sealer::new(&Secret::new(hex(test.key.as_ref()))).unwrap();
                assert_eq!(
                    sealer.open(&stored, &PLACE).unwrap().expose(),
                    text,
                    "vector {}",
                    test.tc_id
                );
                in_legacy_form += 1;
            }
        }
    }
    // Counted, so that a set without vectors does not pass.
    assert!(
        ours > 30 && refused > 30 && in_legacy_form > 1,
        "{ours} ours, {refused} refused, {in_legacy_form} in the legacy form"
    );
}
