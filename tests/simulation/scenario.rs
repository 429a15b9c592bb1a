//! What a seed stands for.

use crate::platform::Window;
use crate::random::Random;
use crate::world::{Action, Excuses, Foreign, Happening, Post, Row, World};
use psn::domain::hash::content_hash;
use psn::domain::id::{AccountId, HubId, PostId, RemoteId, UserId};
use psn::domain::labels::Labels;
use psn::domain::platform::Platform;
use psn::domain::publish::{Plan, State};
use psn::domain::time::{Millis, Timestamp};
use std::collections::BTreeSet;

/// When every run begins.
pub const START: Timestamp = Timestamp(1_767_225_600_000);
const HOUR: i64 = 3_600_000;

/// The world of a seed, ready to run.
pub fn build(seed: u64, trace: bool) -> World {
    let mut world = World::new(seed, START);
    world.trace = trace.then(Vec::new);
    let calm = world.random.per_mille(150);
    world.calm = calm;
    world.chaos = if calm {
        0
    } else {
        [10, 40, 100, 250][usize::try_from(world.random.below(4)).unwrap_or(0)]
    };
    world.heal_at = START + Millis(world.random.between(10 * 60_000, 6 * HOUR));
    world.calls_scarce = world.random.per_mille(150);
    policy(&mut world);
    if !calm {
        windows(&mut world);
    }
    // Of its own, so that a seed is what it was before there were hubs.
    let mut of_hubs = Random::new(!seed);
    let count = if world.random.per_mille(250) { 2 } else { 1 };
    world.same_text = count == 2 && world.random.per_mille(600);
    for index in 0..count {
        post(&mut world, index, of_hubs.per_mille(180));
    }
    people(&mut world, calm);
    for post in 0..count {
        if world.posts[post].gated {
            hub(&mut world, &mut of_hubs, post);
        }
    }
    // Of its own too.
    let mut of_pauses = Random::new(seed.rotate_left(32) ^ 0x9a5e);
    if of_pauses.per_mille(400) {
        crate::pauses::people(&mut world, &mut of_pauses);
    }
    world.end_at = world.heal_at.max(START + Millis(9 * HOUR)) + Millis(27 * HOUR);
    world
}

fn policy(world: &mut World) {
    let random = &mut world.random;
    if random.per_mille(150) {
        world.policy.part_pause_ms = Millis(random.between(500, 5_000));
    }
    if random.per_mille(150) {
        world.policy.look_up_delays = vec![Millis(5_000), Millis(40_000)];
        world.policy.call_deadline_ms = Millis(10_000);
    }
    world.platform.lag_ms_max = (world.policy.settle_ms().0 - world.policy.call_deadline_ms.0) / 2;
    if random.per_mille(500) {
        world.platform.lag_ms_max /= 20;
    }
}

fn window(world: &mut World, per_mille: u64, length_max: i64) -> Vec<Window> {
    let mut windows = Vec::new();
    while windows.len() < 3 && world.random.per_mille(per_mille) {
        let span = world.heal_at.0 - START.0;
        let from = START
            + Millis(if world.random.per_mille(600) {
                world.random.between(0, 60_000)
            } else {
                world.random.between(0, span)
            });
        let until = (from + Millis(world.random.between(1_000, length_max))).min(world.heal_at);
        windows.push((from, until));
    }
    windows
}

fn windows(world: &mut World) {
    world.platform.faults = [0, 20, 80, 200][usize::try_from(world.random.below(4)).unwrap_or(0)];
    world.platform.down = window(world, 200, HOUR);
    world.platform.unreadable = window(world, 200, 6 * HOUR);
    world.platform.no_credit = window(world, 100, 4 * HOUR);
    world.platform.operator = window(world, 50, HOUR);
    world.platform.throttled = window(world, 200, HOUR / 2);
    world.db_down = window(world, 200, 2 * HOUR);
    if world.random.per_mille(40) {
        // A night without a database: posts come too late to begin.
        world.heal_at = START + Millis(27 * HOUR);
        world.db_down = vec![(START + Millis(30_000), world.heal_at)];
    }
    world.platform.refuses_duplicates = world.random.per_mille(500);
    world.platform.refuses_replies = world.random.per_mille(40);
    if world.random.per_mille(120) {
        world.platform.dead_below = 2;
        let at = START + Millis(world.random.between(60_000, world.heal_at.since(START).0));
        world.at(at, Happening::Import);
    }
}

fn post(world: &mut World, index: usize, gated: bool) {
    let random = &mut world.random;
    // Several calls make one post there; media and threads of other platforms are its mixture.
    let prepares = random.per_mille(250);
    let count = match random.below(100) {
        _ if prepares => 1,
        0 if index == 0 => 100,
        1..=40 => 1,
        _ => random.between(2, 12),
    };
    let name = if world.same_text { 0 } else { index };
    let parts: Vec<String> = (0..count).map(|part| format!("post {name}, part {part}")).collect();
    let scheduled_at = match random.below(10) {
        0 => None,
        1..=5 => Some(START + Millis(random.between(0, 2_000))),
        _ => Some(START + Millis(random.between(0, 2 * HOUR))),
    };
    if random.per_mille(40) {
        let bad = random.below(parts.len() as u64);
        world
            .platform
            .bad_texts
            .push(parts[usize::try_from(bad).unwrap_or(0)].clone());
    }
    let plan = Plan {
        post_id: PostId(format!("post-{index}")),
        user_id: UserId("user".to_owned()),
        platform: if prepares { Platform::Instagram } else { Platform::X },
        account_id: Some(AccountId("account".to_owned())),
        hash: content_hash(&parts),
        media: Vec::new(),
        options: None,
        parts,
        scheduled_at,
        group_id: None,
        labels: Labels {
            hub_id: gated.then(|| HubId("hub".to_owned())),
            ..Labels::default()
        },
        created_at: START,
    };
    let adopts =
        index == 0 && !prepares && !world.same_text && scheduled_at.is_some() && world.random.per_mille(80) && !gated;
    let adopted = adopts.then(|| adopted(world, &plan));
    world.posts.push(Post {
        plan,
        adopted,
        journal: Vec::new(),
        truth: State::default(),
        row: Row::default(),
        alarm: None,
        alarm_version: 0,
        alarm_due: false,
        noted: None,
        instance: None,
        due: None,
        stopped: false,
        gated,
        approved: None,
        attempts: BTreeSet::new(),
        excuses: Excuses::default(),
    });
    let action = if adopts { Action::Adopt } else { Action::Create };
    let at = START + Millis(world.random.between(0, 300));
    world.at(at, Happening::User { post: index, action });
    if adopts || world.random.per_mille(60) {
        let again = if adopts { Action::Adopt } else { Action::Create };
        let at = START + Millis(world.random.between(0, 20_000));
        world.at(
            at,
            Happening::User {
                post: index,
                action: again,
            },
        );
    }
    if scheduled_at.is_none() {
        let at = START + Millis(world.random.between(1_000, HOUR));
        let action = if world.random.per_mille(500) {
            Action::Publish
        } else {
            Action::Schedule(Millis(60_000))
        };
        world.at(at, Happening::User { post: index, action });
    }
}

/// Some parts are out already, and perhaps one more than the row says.
fn adopted(world: &mut World, plan: &Plan) -> (Vec<RemoteId>, Option<Timestamp>, Option<String>) {
    let out = usize::try_from(world.random.below(plan.parts.len() as u64)).unwrap_or(0);
    let doubted = world.random.per_mille(500);
    let more = usize::from(doubted && world.random.per_mille(500));
    let mut before = None;
    let mut confirmed = Vec::new();
    for (index, text) in plan.parts.iter().take(out + more).enumerate() {
        let id = RemoteId(format!("{}", 1000 + index));
        world.platform.ledger.push(crate::platform::Made {
            id: id.clone(),
            text: text.clone(),
            reply_to: before.clone(),
            at: START - Millis(5_000),
            visible_at: START,
            deleted_at: None,
        });
        before = Some(id.clone());
        if index < out {
            confirmed.push(id);
        }
    }
    let review = world
        .random
        .per_mille(150)
        .then(|| "its row was left behind".to_owned());
    (confirmed, doubted.then_some(START - Millis(10_000)), review)
}

/// An author who asks, and an admin who decides: mostly soon, sometimes while it is being changed, or never.
fn hub(world: &mut World, random: &mut Random, post: usize) {
    let mut at = START + Millis(random.between(400, 20_000));
    for _ in 0..random.between(1, 3) {
        let span = if random.per_mille(700) { 5_000 } else { 2 * HOUR };
        let actions: &[Action] = match random.below(8) {
            0 => &[Action::Submit],
            1 => &[Action::Submit, Action::Reject, Action::Submit, Action::Approve],
            2 => &[
                Action::Submit,
                Action::Edit,
                Action::Approve,
                Action::Submit,
                Action::Approve,
            ],
            3 => &[Action::Submit, Action::ApproveChanged],
            4 => &[Action::Submit, Action::Approve, Action::Edit],
            _ => &[Action::Submit, Action::Approve],
        };
        for action in actions {
            world.at(
                at,
                Happening::User {
                    post,
                    action: action.clone(),
                },
            );
            at = at + Millis(random.between(0, span));
        }
        if random.per_mille(500) {
            let action = Action::Publish;
            world.at(at, Happening::User { post, action });
        }
    }
}

fn people(world: &mut World, calm: bool) {
    let posts = world.posts.len();
    for post in 0..posts {
        let actions = if world.random.per_mille(550) {
            0
        } else {
            world.random.between(1, 4)
        };
        for _ in 0..actions {
            let action = match world.random.below(16) {
                0..=2 => Action::Cancel,
                3..=4 => Action::Edit,
                5..=6 => Action::Schedule(Millis(world.random.between(-10_000, HOUR))),
                7..=9 => Action::Retry,
                10..=11 => Action::Publish,
                12 => Action::Remove,
                13 => Action::RollBack,
                14 => Action::Create,
                _ => Action::Review,
            };
            let span = if world.random.per_mille(600) { 30_000 } else { 8 * HOUR };
            let at = START + Millis(world.random.between(0, span));
            world.at(at, Happening::User { post, action });
        }
        // Somebody who looks after it when the world is well again.
        let cares = world.random.per_mille(500);
        let mut at = world.heal_at.max(START + Millis(8 * HOUR));
        for action in [
            Action::Review,
            Action::Retry,
            Action::Review,
            Action::Retry,
            Action::RollBack,
        ] {
            at = at + Millis(world.random.between(600_000, 900_000));
            if cares && (action != Action::RollBack || world.random.per_mille(600)) {
                world.at(at, Happening::User { post, action });
            }
        }
        if calm {
            continue;
        }
        for _ in 0..world.random.below(4) {
            let span = if world.random.per_mille(700) { 20_000 } else { 4 * HOUR };
            let at = START + Millis(world.random.between(0, span));
            let stale = world.random.per_mille(500);
            world.at(at, Happening::Crash { post, stale });
        }
        if world.random.per_mille(60) {
            let kinds = [
                Foreign::Text,
                Foreign::Draft,
                Foreign::Later,
                Foreign::Published,
                Foreign::Deleted,
            ];
            let kind = kinds[usize::try_from(world.random.below(5)).unwrap_or(0)];
            let at = START + Millis(world.random.between(1_000, HOUR));
            world.at(at, Happening::Foreign { post, kind });
        }
    }
}
