//! The X client against the X emulator: two readings of the same documents, in every mix of vocabularies.
#![allow(clippy::unwrap_used, reason = "a test")]

use psn::dev::emulators::x::settings::Settings;
use psn::dev::emulators::x::{XAccount, XEmulator, XOptions};
use psn::domain::id::*;
use psn::domain::outcome::*;
use psn::domain::time::*;
use psn::platforms::x::{Config, Vocabulary};
use psn::platforms::{AccessToken, LookUpQuery, MetricsQuery, PartToPublish, PlatformClient, x};
use psn::ports::clock::Clock as _;
use psn::ports::memory::ManualClock;
use std::sync::Arc;
struct SharedClock(Arc<ManualClock>);
impl psn::ports::clock::Clock for SharedClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}
#[tokio::test]
async fn client_and_emulator_understand_each_other() {
    for emu in ["tweet", "post"] {
        for strict in [false, true] {
            for fields in [Vocabulary::Tweet, Vocabulary::Post] {
                let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_123)));
                let settings: Settings = serde_json::from_value(serde_json::json!({"vocabulary": emu, "strict_vocabulary": strict, "duplicate_check": false, "long_posts": ["*"],
                    "metrics": {"*": {"likes": 3, "reposts": 2, "impressions": 90, "url_link_clicks": 1}}})).unwrap();
                let x = XEmulator::start(XOptions {
                    settings,
                    clock: Some(clock.clone()),
                    ..XOptions::default()
                })
                .await
                .unwrap();
                x.add_account(XAccount {
                    id: "7".into(),
                    username: "u".into(),
                    access_token: "tok".into(),
                })
                .unwrap();
                let config = Config {
                    api_url: x.url().to_string(),
                    fields,
                    call_deadline: Millis(5_000),
                    allowance: Default::default(),
                };
                let client = x::Client::new(psn::net::Client::new().unwrap(), SharedClock(clock.clone()), config);
                let t = AccessToken::new("tok");
                let me = client.who_am_i(&t).await.unwrap();
                let user = me.remote_user_id;
                let mut parent: Option<RemoteId> = None;
                let mut known = vec![];
                let long = "word ".repeat(100) + "https://example.com/a?b=1&c=2 & <x>";
                for text in [
                    "one & <two> see example.com \"q\" &amp; https://example.com/p?a=1&b=2",
                    "two 👩‍👩‍👧 字 https://example.com/.",
                    "two 👩‍👩‍👧 字 https://example.com/.",
                    &long,
                    "müller.de and https://例え.jp/パス?x=ü#y e\u{301}",
                    "$A #b @c x.com/y/ (foo.org/)",
                    "a  b\n\n\nc\n",
                ] {
                    let since = clock.now();
                    let q = LookUpQuery {
                        remote_user_id: &user,
                        text,
                        reply_to: parent.as_ref(),
                        since,
                        known_ids: &known,
                        media_count: 0,
                        options: None,
                        handles: &[],
                        attempts: 1,
                    };
                    let before = client.look_up(&t, &q).await;
                    assert_eq!(before.verdict, LookUp::Absent, "{text}");
                    let part = PartToPublish {
                        text,
                        reply_to: parent.as_ref(),
                        deadline: Millis(5_000),
                        ..PartToPublish::default()
                    };
                    let Outcome::Accepted { remote_id } = client.publish(&t, &part).await else {
                        panic!("{text}: {:?}", client.publish(&t, &part).await)
                    };
                    let after = client.look_up(&t, &q).await;
                    assert_eq!(
                        after.verdict,
                        LookUp::Present {
                            remote_id: remote_id.clone()
                        },
                        "{emu} {strict} {fields:?} {text}"
                    );
                    assert_eq!(
                        client.read_back(&t, &remote_id, text, &user).await,
                        ReadBack::Found { same_text: true }
                    );
                    clock.advance(Millis(500));
                    known.push(remote_id.clone());
                    parent = Some(remote_id);
                }
                let numbers = async || {
                    let query = MetricsQuery {
                        remote_user_id: &user,
                        options: None,
                        ids: &known,
                    };
                    client.metrics(&t, &query).await.unwrap()
                };
                let got = numbers().await;
                assert_eq!(got.len(), known.len());
                let told = (got[0].1.likes, got[0].1.shares, got[0].1.impressions, got[0].1.clicks);
                assert_eq!(told, (Some(3), Some(2), Some(90), Some(1)), "{emu} {strict} {fields:?}");
                let last = parent.unwrap();
                assert_eq!(client.delete(&t, &last).await, Deletion::Deleted);
                assert_eq!(client.delete(&t, &last).await, Deletion::Deleted);
                assert_eq!(client.read_back(&t, &last, "x", &user).await, ReadBack::NotFound);
                // What is gone is left out, and nobody is told the clicks of what is old.
                clock.advance(Millis(30 * 24 * 3_600_000));
                let later = numbers().await;
                assert_eq!(later.len(), known.len() - 1);
                assert!(
                    later
                        .iter()
                        .all(|(_, got)| got.likes == Some(3) && got.clicks.is_none())
                );
            }
        }
    }
}
