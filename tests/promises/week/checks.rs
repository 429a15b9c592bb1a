//! What is to be so at the end of the week.

use super::{DAYS, Week};
use crate::place::Place as _;
use crate::{DAY, HOUR, MINUTE, support};
use psn::domain::id::{PostId, UserId};
use psn::domain::platform::Platform;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::media::MediaStore as _;
use psn::ports::objects::{IndexReply, IndexRequest, Objects as _};
use psn::tasks::TASKS;
use std::collections::{BTreeMap, BTreeSet};

/// A reading comes so late at most: cron that did not come, the database away, an answer that failed and an hour's wait.
const LATE_READING: Millis = Millis(6 * HOUR.0);

fn user() -> UserId {
    UserId::from("default")
}

impl Week {
    pub async fn check(&self) {
        self.every_post_is_out_once().await;
        self.tokens_were_renewed().await;
        self.counts_were_collected().await;
        self.digests_hold_each_post_once();
        self.messages_arrived_once().await;
        self.the_rest_was_tidied_up().await;
        self.every_task_ran().await;
    }

    /// Exactly the posts that were wanted, none before its time, by the platforms' own books.
    async fn every_post_is_out_once(&self) {
        assert_eq!(self.posts.len(), 70);
        let mut out: Vec<BTreeSet<String>> = vec![BTreeSet::new(); self.accounts.len()];
        for post in &self.posts {
            let account = &self.accounts[post.on];
            let shown = account.show(&post.id).await;
            assert_eq!(
                shown["status"],
                "published",
                "{shown}\n{:#?}",
                account.events(&post.id).await
            );
            let entries = account.out();
            for remote_id in shown["platform_post_ids"].as_array().unwrap() {
                let remote_id = remote_id.as_str().unwrap().to_owned();
                let entry = entries.iter().find(|entry| entry.id == remote_id);
                let entry = entry.unwrap_or_else(|| panic!("{remote_id} is not out: {shown}"));
                let at = Timestamp::parse(&entry.at).unwrap();
                assert!(at >= post.due, "out at {at}, due {}: {shown}", post.due);
                assert!(
                    out[post.on].insert(remote_id),
                    "two posts say that they are it: {shown}"
                );
            }
            for text in post.texts.iter().filter(|_| post.on == 0) {
                let copies = entries.iter().filter(|entry| entry.text == *text).count();
                assert_eq!(copies, 1, "{text}");
            }
        }
        for (account, ids) in self.accounts.iter().zip(&out) {
            let platform = account.subject.platform();
            assert_eq!(account.copies(), ids.len(), "{platform}: more is out than was wanted");
        }
        let rows = self.ask("select status, count(*) from posts group by 1").await;
        assert_eq!(rows, ["published|70"]);
    }

    /// Each account has a token that lasts, renewed as its platform wants it, and no pair was used twice.
    async fn tokens_were_renewed(&self) {
        let store = self.place.world.store();
        for account in &self.accounts {
            let platform = account.subject.platform();
            let row = store.token_read(&user(), &account.account_id).await.unwrap().unwrap();
            let sealer = support::sealer(&[support::KEY.to_owned()]);
            assert!(!row.open_access(&sealer).unwrap().expose().is_empty());
            let left = row.expires_at.unwrap().since(self.place.now());
            assert!(left > Millis(0), "{platform}: ended {left:?} ago");
            let oauth = account.emulated.ledger().oauth;
            assert_eq!(oauth.replays, 0, "{platform}: {:?}", oauth.calls);
            let wanted = match platform {
                // Two hours and a day; sixty days, of which all but a few were over.
                Platform::X => 60..=100,
                Platform::TikTok => 5..=10,
                Platform::LinkedIn | Platform::Instagram => 1..=2,
            };
            assert!(
                wanted.contains(&oauth.refreshes),
                "{platform}: {} renewals",
                oauth.refreshes
            );
        }
    }

    /// Each post at its ages, no paid reading twice, and the followers of each account daily.
    async fn counts_were_collected(&self) {
        let (store, now) = (self.place.world.store(), self.place.now());
        for post in &self.posts {
            let id = PostId(post.id.clone());
            let published = self
                .ask(&format!(
                    "select floor(extract(epoch from published_at) * 1000) from posts where id = '{id}'"
                ))
                .await;
            let published = Timestamp(published[0].parse().unwrap());
            let (_, curve) = store.metrics_of(&user(), &id).await.unwrap();
            let ages: Vec<Millis> = curve.iter().map(|point| point.collected_at.since(published)).collect();
            let said = || {
                format!(
                    "{}: read {ages:?} after {published}",
                    self.accounts[post.on].subject.platform()
                )
            };
            if post.on == 0 {
                let due = [HOUR, DAY]
                    .into_iter()
                    .filter(|age| published + *age + LATE_READING < now);
                let due: Vec<Millis> = due.collect();
                assert!(ages.len() >= due.len() && ages.len() <= 2, "{}", said());
                let in_time = |(age, due): (&Millis, &Millis)| (due.0..due.0 + LATE_READING.0).contains(&age.0);
                assert!(ages.iter().zip(&due).all(in_time), "{}", said());
            } else {
                // An account whose token is dead is tried again a day later.
                let lost_days = i64::from(self.accounts[post.on].subject.platform() == Platform::TikTok);
                let whole_days = (now.since(published).0 - LATE_READING.0) / DAY.0 - lost_days;
                assert!(i64::try_from(ages.len()).unwrap() >= whole_days, "{}", said());
                let gaps = ages.windows(2).map(|pair| Millis(pair[1].0 - pair[0].0));
                let first = ages.first().copied();
                let most = Millis((1 + lost_days) * DAY.0 + LATE_READING.0);
                let is_daily = |gap: Millis| (12 * HOUR.0..=most.0).contains(&gap.0);
                assert!(gaps.chain(first).all(is_daily), "{}", said());
            }
        }
        let followers = "select platform, count(distinct day) from psn_followers group by 1 order by 1";
        for line in self.ask(followers).await {
            let (platform, days) = line.split_once('|').unwrap();
            let days: i64 = days.parse().unwrap();
            assert!((DAYS - 1..=DAYS + 1).contains(&days), "{platform}: {days} days");
        }
    }

    /// One at nine in the morning, and every post that was out by then in one of them.
    fn digests_hold_each_post_once(&self) {
        let digests: BTreeMap<&str, &super::Heard> = self
            .heard
            .iter()
            .filter(|heard| heard.kind == "digest.daily")
            .map(|heard| (heard.id.as_str(), heard))
            .collect();
        assert_eq!(i64::try_from(digests.len()).unwrap(), DAYS);
        let mut last = self.began;
        for digest in digests.values() {
            // Nine o'clock there is eight in UTC, in winter.
            let after = (digest.at.0 - 8 * HOUR.0).rem_euclid(DAY.0);
            assert!(after < 10 * MINUTE.0, "a digest at {}", digest.at);
            last = last.max(digest.at);
        }
        for post in &self.posts {
            let name = format!("({})", &post.id[..8]);
            let is_told = |line: &&str| line.starts_with("- Published: ") && line.contains(&name);
            let told = digests
                .values()
                .flat_map(|digest| digest.text.lines())
                .filter(is_told)
                .count();
            // What came out in the last day waits for the next.
            let is_old = post.due + DAY < last;
            assert!(told == 1 || told == 0 && !is_old, "{name} is in {told} digests");
        }
    }

    /// Whoever had to do something was told, once, and not at night.
    async fn messages_arrived_once(&self) {
        let sent = "select count(*) filter (where status = 'sent'), count(*) filter (where status <> 'sent') from psn_deliveries";
        let ids: BTreeSet<&str> = self.heard.iter().map(|heard| heard.id.as_str()).collect();
        assert_eq!(self.ask(sent).await, [format!("{}|0", ids.len())]);
        // Two tries were refused.
        assert_eq!(self.heard.len(), ids.len() + 2);
        let dead = self.heard.iter().filter(|heard| heard.kind == "token.expiring").count();
        assert!((1..=3).contains(&dead), "{dead} messages of the dead token");
        let told = self
            .ask("select event_type, state, count(*) from psn_outbox group by 1, 2 order by 1, 2")
            .await;
        assert!(
            told.iter()
                .all(|line| line.contains("|routed|") || line.contains("|digest|")),
            "{told:?}"
        );
        for heard in &self.heard {
            let hour = (heard.at.0 + HOUR.0).rem_euclid(DAY.0) / HOUR.0;
            assert!((8..22).contains(&hour), "{} at {}", heard.kind, heard.at);
        }
    }

    /// The timely idea and the medium nobody needs are gone, what is needed is there, and nothing is open any more.
    async fn the_rest_was_tidied_up(&self) {
        let ideas = self
            .ask("select title, status, coalesce(kill_reason, '-') from ideas order by 1")
            .await;
        assert_eq!(ideas, ["What clocks are for|spark|-", "Why clocks lie|killed|expired"]);
        let media = self.place.world.media_store();
        assert!(media.find(&self.unused.id).await.unwrap().is_none());
        let needed = self
            .ask("select distinct jsonb_array_elements_text(media_urls) from posts")
            .await;
        assert_eq!(media.list(None, 100).await.unwrap().len(), needed.len());
        let due = IndexRequest::Due { limit: 100 };
        match self.place.world.index(due).await.unwrap() {
            IndexReply::Due { post_ids, .. } => assert_eq!(post_ids, []),
            other => panic!("{other:?}"),
        }
    }

    /// Each for its last time; what kept one from its work was the database that was away or a platform that did not answer.
    async fn every_task_ran(&self) {
        let now = self.place.now();
        let IndexReply::TaskRuns { runs } = self.place.world.index(IndexRequest::TaskRuns).await.unwrap() else {
            panic!("no runs");
        };
        for task in &TASKS {
            let run = runs.iter().find(|run| run.name == task.name).unwrap();
            assert_eq!(Some(run.due_at), task.due(now - MINUTE), "{}", task.name);
            assert!(run.end.is_some() && run.unfinished == 0, "{run:?}");
        }
        let away = self.began + Millis(DAY.0 + 2 * HOUR.0);
        for (at, problem) in &self.problems {
            let while_away = (0..2 * HOUR.0).contains(&at.since(away).0);
            assert!(
                while_away || problem.starts_with("analytics_collector: "),
                "{at}: {problem}"
            );
        }
        assert!(self.problems.len() > 3, "{:?}", self.problems);
    }
}
