//! What to do next, proposed from what is out: rules over counts and labels, without a word written. What is to be said
//! anew, whoever writes says.

use crate::domain::order;
use crate::domain::time::{Millis, Timestamp};
use std::collections::BTreeMap;

const DAY_MS: i64 = 24 * 3_600_000;
/// A post may be said again when it went out so long ago.
pub const OLD_MS: Millis = Millis(90 * DAY_MS);
/// What did well lately may be said elsewhere.
pub const LATE_MS: Millis = Millis(60 * DAY_MS);
/// A format and a pillar that come together so often in that time are a series.
pub const SERIES_POSTS_MIN: usize = 3;
/// The time in which they do.
pub const SERIES_MS: Millis = Millis(30 * DAY_MS);

/// A post that is out, with what it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub platform: String,
    /// How its text begins.
    pub text: String,
    /// In which format it is written.
    pub format: Option<String>,
    /// What it is about.
    pub topic: Option<String>,
    /// The pillar it belongs to.
    pub pillar: Option<String>,
    /// In which language it is.
    pub language: Option<String>,
    /// When it went out.
    pub published_at: Option<Timestamp>,
    /// What it got.
    pub score: i64,
}

/// A score that is better than at least half of the platform's, which is what "did well" means everywhere here.
fn does_well(posts: &[Seen]) -> impl Fn(&Seen) -> bool {
    let mut scores: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for post in posts {
        scores.entry(&post.platform).or_default().push(post.score);
    }
    let medians: BTreeMap<String, i64> = order::gather(scores.into_iter().map(|(platform, mut scores)| {
        order::sort(&mut scores);
        (platform.to_owned(), scores[scores.len() / 2])
    }));
    move |post| post.score > 0 && medians.get(&post.platform).is_none_or(|median| post.score >= *median)
}

fn age(post: &Seen, now: Timestamp) -> Millis {
    post.published_at.map_or(Millis(0), |at| now.since(at))
}

/// The best of them, at most so many.
fn best(mut found: Vec<&Seen>, limit: usize) -> Vec<&Seen> {
    order::sort_by(&mut found, |one, other| {
        (other.score, &one.id).cmp(&(one.score, &other.id))
    });
    found.truncate(limit);
    found
}

/// Posts that did well and are old enough to be said again; nothing whose topic came up on that platform since.
#[must_use]
pub fn recycle(posts: &[Seen], now: Timestamp, limit: usize) -> Vec<&Seen> {
    let did_well = does_well(posts);
    let is_said_since = |post: &Seen| {
        let same =
            |other: &&Seen| other.platform == post.platform && other.topic == post.topic && age(other, now) < OLD_MS;
        post.topic.is_some() && posts.iter().any(|other| same(&other))
    };
    let found = posts.iter().filter(|post| age(post, now) >= OLD_MS);
    best(
        found.filter(|post| did_well(post) && !is_said_since(post)).collect(),
        limit,
    )
}

/// Posts of late that did well, each with the platforms among `others` where nothing of its topic is out.
#[must_use]
pub fn remix<'a>(posts: &'a [Seen], others: &[String], now: Timestamp, limit: usize) -> Vec<(&'a Seen, Vec<String>)> {
    let did_well = does_well(posts);
    let late = posts.iter().filter(|post| age(post, now) < LATE_MS && did_well(post));
    let is_out = |post: &Seen, platform: &String| {
        let same = |other: &Seen| {
            other.platform == *platform
                && (other.text == post.text || post.topic.is_some() && other.topic == post.topic)
        };
        post.platform == *platform || posts.iter().any(same)
    };
    let left = |post: &Seen| -> Vec<String> {
        others
            .iter()
            .filter(|platform| !is_out(post, platform))
            .cloned()
            .collect()
    };
    let found: Vec<&Seen> = late.filter(|post| !left(post).is_empty()).collect();
    best(found, limit).into_iter().map(|post| (post, left(post))).collect()
}

/// A series that there seems to be already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The pillar of its posts.
    pub pillar: String,
    /// Their format.
    pub format: String,
    /// How many of them went out lately.
    pub posts: usize,
    /// Where most of them did.
    pub platform: String,
    /// `weekly`, `biweekly` or `monthly`, as they came.
    pub cadence: &'static str,
}

/// What comes again and again: a pillar in a format, three times in thirty days, that is no series yet.
#[must_use]
pub fn repeated(posts: &[Seen], known_pillars: &[String], now: Timestamp) -> Vec<Repeated> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Seen>> = BTreeMap::new();
    for post in posts.iter().filter(|post| age(post, now) <= SERIES_MS) {
        if let (Some(pillar), Some(format)) = (&post.pillar, &post.format) {
            groups.entry((pillar, format)).or_default().push(post);
        }
    }
    let is_new = |(pillar, _): &(&str, &str)| !known_pillars.iter().any(|known| known == pillar);
    let enough = |posts: &[&Seen]| posts.len() >= SERIES_POSTS_MIN;
    let mut found: Vec<Repeated> = groups
        .iter()
        .filter(|(name, posts)| is_new(name) && enough(posts))
        .map(|((pillar, format), posts)| Repeated {
            pillar: (*pillar).to_owned(),
            format: (*format).to_owned(),
            posts: posts.len(),
            platform: most(posts.iter().map(|post| post.platform.as_str())).unwrap_or_default(),
            cadence: cadence(posts),
        })
        .collect();
    order::sort_by(&mut found, |one, other| {
        (other.posts, &one.pillar).cmp(&(one.posts, &other.pillar))
    });
    found
}

/// How far apart they went out, in the middle.
fn cadence(posts: &[&Seen]) -> &'static str {
    let mut times: Vec<i64> = posts.iter().filter_map(|post| Some(post.published_at?.0)).collect();
    order::sort(&mut times);
    let mut gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    order::sort(&mut gaps);
    match gaps.get(gaps.len() / 2) {
        Some(gap) if *gap > 20 * DAY_MS => "monthly",
        Some(gap) if *gap > 10 * DAY_MS => "biweekly",
        _ => "weekly",
    }
}

fn most<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(name, _)| name.to_owned())
}

/// A language that somebody writes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Its name, as labels have it; `None` where posts name none.
    pub language: Option<String>,
    /// How many posts are in it.
    pub posts: usize,
    /// How many of a hundred.
    pub percent: usize,
    /// What they got each, on average.
    pub score: i64,
}

/// In which languages posts are written, most of them first. A text in `both` counts as a language of its own.
#[must_use]
pub fn languages(posts: &[Seen]) -> Vec<Spoken> {
    let mut groups: BTreeMap<Option<&String>, (usize, i64)> = BTreeMap::new();
    for post in posts {
        let group = groups.entry(post.language.as_ref()).or_default();
        *group = (group.0 + 1, group.1 + post.score);
    }
    let mut found: Vec<Spoken> = groups
        .into_iter()
        .map(|(language, (count, score))| Spoken {
            language: language.cloned(),
            posts: count,
            percent: count * 100 / posts.len().max(1),
            score: score / i64::try_from(count).unwrap_or(i64::MAX).max(1),
        })
        .collect();
    order::sort_by(&mut found, |one, other| {
        (other.posts, &one.language).cmp(&(one.posts, &other.language))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_424_400_000);

    fn post(id: &str, platform: &str, days: i64, score: i64, labels: [&str; 4]) -> Seen {
        let label = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let [format, topic, pillar, language] = labels.map(label);
        Seen {
            id: id.to_owned(),
            platform: platform.to_owned(),
            text: format!("text of {id}"),
            format,
            topic,
            pillar,
            language,
            published_at: Some(NOW - Millis(days * DAY_MS)),
            score,
        }
    }

    #[test]
    fn what_did_well_long_ago_is_said_again_unless_it_was_since() {
        let posts = [
            post("old and good", "x", 120, 50, ["", "tea", "", ""]),
            post("old and said since", "x", 120, 60, ["", "clocks", "", ""]),
            post("since", "x", 10, 1, ["", "clocks", "", ""]),
            post("old and poor", "x", 120, 0, ["", "dust", "", ""]),
            post("elsewhere", "linkedin", 100, 5, ["", "clocks", "", ""]),
        ];
        let found: Vec<&str> = recycle(&posts, NOW, 9).iter().map(|post| &post.id[..]).collect();
        assert_eq!(found, ["old and good", "elsewhere"]);
        assert_eq!(recycle(&posts, NOW, 1).len(), 1);
    }

    #[test]
    fn what_did_well_lately_is_proposed_where_it_is_not_out() {
        let posts = [
            post("good", "x", 10, 50, ["", "tea", "", ""]),
            post("on linkedin already", "linkedin", 5, 1, ["", "tea", "", ""]),
            post("poor", "x", 10, 1, ["", "dust", "", ""]),
            post("old", "x", 100, 90, ["", "rain", "", ""]),
        ];
        let others = ["x", "linkedin", "instagram"].map(str::to_owned);
        let found = remix(&posts, &others, NOW, 9);
        let named: Vec<(&str, &[String])> = found.iter().map(|(post, to)| (&post.id[..], &to[..])).collect();
        let expected = ["x".to_owned(), "instagram".to_owned()];
        assert_eq!(
            named,
            [("good", &expected[1..]), ("on linkedin already", &expected[1..])]
        );
    }

    #[test]
    fn a_pillar_in_a_format_three_times_a_month_is_a_series() {
        let of = |id: &str, days| post(id, "x", days, 1, ["thread", "", "craft", ""]);
        let mut posts = vec![
            of("a", 1),
            of("b", 8),
            of("c", 15),
            post("d", "x", 2, 1, ["", "", "craft", ""]),
        ];
        let found = repeated(&posts, &[], NOW);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].posts, found[0].cadence), (3, "weekly"));
        assert_eq!(repeated(&posts, &["craft".to_owned()], NOW), []);
        posts[2].published_at = Some(NOW - Millis(31 * DAY_MS));
        assert_eq!(repeated(&posts, &[], NOW), []);
    }

    #[test]
    fn languages_are_counted_with_what_they_get() {
        let posts = [
            post("a", "x", 1, 10, ["", "", "", "en"]),
            post("b", "x", 1, 20, ["", "", "", "en"]),
            post("c", "x", 1, 3, ["", "", "", "es"]),
            post("d", "x", 1, 0, ["", "", "", ""]),
        ];
        let found = languages(&posts);
        let said: Vec<(Option<&str>, usize, i64)> = found
            .iter()
            .map(|one| (one.language.as_deref(), one.percent, one.score))
            .collect();
        assert_eq!(said, [(Some("en"), 50, 15), (None, 25, 0), (Some("es"), 25, 3)]);
    }
}
