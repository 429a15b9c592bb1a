//! Rows of the legacy program, in every status with everything that it can have written beside: what was on its way goes
//! out once or a person is asked, and what rests is left alone to the last byte.

use crate::HOUR;
use crate::bed::{Bed, LINKEDIN, Row, X};
use psn::domain::id::PostId;
use psn::domain::time::{Millis, Timestamp};
use psn::store::content;
use serde_json::json;

const STATUSES: [&str; 7] = [
    "draft",
    "scheduled",
    "publishing",
    "published",
    "failed",
    "retry",
    "partially_posted",
];
const UNDER_WAY: [&str; 4] = ["scheduled", "retry", "publishing", "partially_posted"];
const SUB_STATUSES: [Option<&str>; 9] = [
    None,
    Some("retry_1"),
    Some("retry_2"),
    Some("retry_3"),
    Some("rate_limited"),
    Some("media_uploading"),
    Some("media_uploaded"),
    Some("thread_partial"),
    Some("partial_failure"),
];

/// How a row is to end.
enum Ends {
    /// As it was.
    Untouched(String),
    /// These parts are out on X, once each, in their order.
    Thread(Vec<String>),
    /// That text is out there, once.
    Text(usize, String),
    /// A draft, with this in its reason.
    Draft(&'static str),
    /// Nothing more goes out, and a person is told this.
    Review(&'static str),
}

struct Case {
    what: String,
    id: PostId,
    ends: Ends,
    /// What may not be out beside.
    text: String,
}

/// Rows and how they are to end.
struct Cases<'a> {
    bed: &'a Bed,
    all: Vec<Case>,
    at: Timestamp,
    /// Parts that were out before of what rests.
    out: usize,
}

impl Cases<'_> {
    async fn add(&mut self, what: impl Into<String>, row: Row, ends: Ends) {
        let (id, text) = (self.bed.insert(&row).await, row.content.clone());
        let ends = match ends {
            Ends::Untouched(_) => Ends::Untouched(self.bed.row(&id).await),
            ends => ends,
        };
        let what = what.into();
        self.all.push(Case { what, id, ends, text });
    }

    /// Each status with each sub-status that is declared.
    async fn plain(&mut self) {
        for status in STATUSES {
            for sub_status in SUB_STATUSES {
                let text = format!("plain {status} {}", sub_status.unwrap_or("none"));
                let mut row = Row::new(status, &text, self.at);
                row.sub_status = sub_status.map(str::to_owned);
                let ends = match UNDER_WAY.contains(&status) {
                    true => Ends::Text(X, text.clone()),
                    false => untouched(),
                };
                self.add(text, row, ends).await;
            }
        }
        // Published at once, as the legacy program's `now` leaves them: without a time.
        let mut row = Row::new("scheduled", "at once", self.at);
        row.scheduled_at = None;
        self.add("at once", row, Ends::Text(X, "at once".to_owned())).await;
        let row = Row::new("scheduled", "elsewhere", self.at).on("mastodon");
        self.add("elsewhere", row, untouched()).await;
    }

    /// Threads of which nothing, some or all is out, with and without the part that was being sent.
    async fn threads(&mut self) {
        for status in STATUSES {
            for (recorded, out) in [(0, 0), (1, 1), (2, 2), (3, 3), (0, 1), (1, 2), (2, 3)] {
                let what = format!("thread {status}, {recorded} of {out} recorded");
                let parts: Vec<String> = (1..=3).map(|part| format!("{what}, part {part}")).collect();
                let ids = self.bed.tweets(&parts[..out]).await;
                let row = Row::thread(status, &parts, self.at).progress(&ids[..recorded], 3);
                let ends = match UNDER_WAY.contains(&status) {
                    true => Ends::Thread(parts),
                    false => untouched(),
                };
                self.out += if matches!(ends, Ends::Untouched(_)) { out } else { 0 };
                self.add(what, row, ends).await;
            }
        }
        for status in ["publishing", "partially_posted"] {
            let what = format!("thread {status} without a record");
            let parts: Vec<String> = (1..=3).map(|part| format!("{what}, part {part}")).collect();
            self.bed.tweets(&parts[..1]).await;
            let row = Row::thread(status, &parts, self.at);
            self.add(what, row, Ends::Thread(parts)).await;
        }
    }

    /// Records that say nothing that can be relied on.
    async fn contradictions(&mut self) {
        for status in UNDER_WAY {
            let named = |what: &str| {
                (
                    format!("{what} {status}"),
                    [1, 2, 3].map(|part| format!("{what} {status} {part}")),
                )
            };
            let (what, parts) = named("other total");
            let ids = vec!["1".to_owned()];
            let row = Row::thread(status, &parts, self.at).progress(&ids, 4);
            self.add(what, row, Ends::Review("published 4 parts of it, but its text has 3"))
                .await;
            let (what, parts) = named("unreadable");
            let row = Row::thread(status, &parts, self.at).with("threadProgress", "{\"posted\":");
            self.add(what, row, Ends::Review("cannot be read")).await;
            let (what, parts) = named("no id");
            let row = Row::thread(status, &parts, self.at).progress(&[String::new()], 3);
            self.add(what, row, Ends::Review("names no posts")).await;
            let (what, parts) = named("other count");
            let record = json!({"posted": 2, "total": 3, "lastPostedId": "1", "tweetIds": ["1"]}).to_string();
            let row = Row::thread(status, &parts, self.at).with("threadProgress", record);
            self.add(what, row, Ends::Review("contradicts itself")).await;
            let (what, _) = named("picture");
            let mut row = Row::new(status, &what, self.at);
            row.media = true;
            self.add(what, row, Ends::Review("gave it media")).await;
        }
    }

    /// Texts as they lie there, and what each platform makes of them.
    async fn contents(&mut self) {
        let blank = Row::new("scheduled", "  ", self.at);
        self.add("blank", blank, Ends::Review("without a text")).await;
        let parts = ["a gap", "", "behind it"].map(str::to_owned);
        let row = Row::thread("scheduled", &parts, self.at);
        self.add(
            "a part is empty",
            row,
            Ends::Thread(vec![parts[0].clone(), parts[2].clone()]),
        )
        .await;
        let parts = ["short".to_owned(), "long ".repeat(70)];
        let row = Row::thread("scheduled", &parts, self.at);
        self.add("a part is too long", row, Ends::Review("part 2 is 349/280"))
            .await;
        let long = "One sentence of many that is in a long text. ".repeat(12);
        let long = long.trim().to_owned();
        let row = Row::new("scheduled", &long, self.at).on("linkedin");
        self.add("long on LinkedIn", row, Ends::Text(LINKEDIN, long)).await;
        let parts = ["first paragraph", "second paragraph"].map(str::to_owned);
        let row = Row::thread("retry", &parts, self.at).on("linkedin");
        self.add("paragraphs", row, Ends::Text(LINKEDIN, parts.join("\n\n")))
            .await;
        let row = Row::new("publishing", "in doubt on LinkedIn", self.at).on("linkedin");
        self.add("in doubt on LinkedIn", row, Ends::Review("LinkedIn")).await;
        for platform in ["instagram", "tiktok"] {
            let row = Row::new("scheduled", format!("bare on {platform}"), self.at).on(platform);
            self.add(format!("bare on {platform}"), row, Ends::Review("cannot be published"))
                .await;
        }
    }

    /// What LinkedIn is to do beside.
    async fn fields(&mut self) {
        let row = |what: &str| Row::new("scheduled", what, self.at).on("linkedin");
        let of = |what: &str| Ends::Text(LINKEDIN, what.to_owned());
        let (few, page, words) = ("for connections", "with a page", "for whom");
        let all = [
            (few, row(few).with("linkedinVisibility", "CONNECTIONS"), of(few)),
            (
                page,
                row(page)
                    .with("linkedinFormat", "article")
                    .with("articleUrl", "https://example.com/a")
                    .with("articleTitle", "A page"),
                of(page),
            ),
            (
                words,
                row(words).with("linkedinVisibility", "FRIENDS"),
                Ends::Review("`linkedin` cannot be used"),
            ),
        ];
        for (what, row, ends) in all {
            self.add(what, row, ends).await;
        }
    }

    /// Approval where the hub has members, and where it has none.
    async fn approvals(&mut self) {
        let members = "insert into team_members (user_id, hub_id, role) values ('default', 'hub_1', 'member'), ('eve', 'hub_1', 'admin')";
        self.bed.ask(members).await;
        for status in ["scheduled", "retry"] {
            for approval in [
                None,
                Some("draft"),
                Some("submitted"),
                Some("rejected"),
                Some("approved"),
            ] {
                for hub in ["hub_1", "hub_of_nobody"] {
                    let what = format!("{status} {} in {hub}", approval.unwrap_or("without approval"));
                    let mut row = Row::new(status, &what, self.at).with("hubId", hub);
                    row.approval = approval;
                    let goes_out = approval == Some("approved") || hub != "hub_1";
                    let ends = match goes_out {
                        true => Ends::Text(X, what.clone()),
                        false => Ends::Draft("nobody approved it"),
                    };
                    self.add(what, row, ends).await;
                }
            }
        }
    }

    /// What rests is left alone whatever lies beside it.
    async fn resting(&mut self) {
        for status in ["draft", "published", "failed"] {
            let mut row = Row::new(status, format!("resting {status}"), self.at)
                .with("hubId", "hub_1")
                .with("retryCount", 3)
                .with("platformStatus", json!({"x": {"status": "failed", "error": "?"}}));
            row.media = true;
            row.approval = Some("submitted");
            self.add(format!("resting {status}"), row, untouched()).await;
        }
    }
}

fn untouched() -> Ends {
    Ends::Untouched(String::new())
}

async fn check(bed: &Bed, case: &Case) {
    let said = bed.said(&case.id).await;
    let what = format!("{}: {said}", case.what);
    let texts = content::decode(&case.text);
    let nothing_out = || (X..=LINKEDIN).all(|on| texts.iter().all(|text| bed.out(on, text).is_empty()));
    match &case.ends {
        Ends::Untouched(before) => {
            assert_eq!(bed.row(&case.id).await, *before, "{what}");
        }
        Ends::Thread(parts) => {
            assert_eq!(said, "published||", "{}", case.what);
            bed.assert_exact(parts, &what);
        }
        Ends::Text(on, text) => {
            assert_eq!(said, "published||", "{}", case.what);
            assert_eq!(bed.out(*on, text).len(), 1, "{what}");
        }
        Ends::Draft(reason) => {
            assert!(said.starts_with("draft||") && said.contains(reason), "{what}");
            assert!(nothing_out(), "{what}");
        }
        Ends::Review(reason) => {
            assert!(said.contains("|needs_review|") && said.contains(reason), "{what}");
            assert!(nothing_out(), "{what}");
        }
    }
}

pub async fn every_row_ends_right() {
    let bed = Bed::new("promises_adopted").await;
    let mut cases = Cases {
        bed: &bed,
        all: Vec::new(),
        at: bed.now() - HOUR,
        out: 0,
    };
    cases.plain().await;
    cases.threads().await;
    cases.contradictions().await;
    cases.contents().await;
    cases.fields().await;
    cases.approvals().await;
    cases.resting().await;
    let (resting_out, cases) = (cases.out, cases.all);
    assert!(cases.len() > 150, "{}", cases.len());
    bed.pass(Millis(4 * HOUR.0)).await;
    for case in &cases {
        check(&bed, case).await;
    }
    // By X's own book nothing else is out.
    let texts = |case: &Case| match &case.ends {
        Ends::Thread(parts) => parts.len(),
        Ends::Text(on, _) => usize::from(*on == X),
        _ => 0,
    };
    let wanted = cases.iter().map(texts).sum::<usize>() + resting_out;
    assert_eq!(bed.accounts[X].copies(), wanted);
    let few = &bed.out(LINKEDIN, "for connections")[0].details;
    let page = &bed.out(LINKEDIN, "with a page")[0].details;
    assert_eq!(
        (&few["visibility"], &page["visibility"]),
        (&json!("CONNECTIONS"), &json!("PUBLIC"))
    );
    assert_eq!(page["content"]["article"]["source"], "https://example.com/a", "{page}");
    // More time changes nothing.
    let all = "select id, status, sub_status, fail_reason, platform_post_ids, published_at from posts order by 1";
    let (after, arrivals) = (bed.ask(all).await, bed.sends());
    bed.pass(Millis(5 * HOUR.0)).await;
    assert_eq!((bed.ask(all).await, bed.sends()), (after, arrivals));
}
