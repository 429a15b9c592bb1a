//! The store on a real PostgreSQL, behind the endpoint that speaks Neon's protocol.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "store/access.rs"]
mod access;
#[path = "store/accounts.rs"]
mod accounts;
#[path = "store/closing.rs"]
mod closing;
#[path = "store/counts.rs"]
mod counts;
#[path = "store/explained.rs"]
mod explained;
#[path = "store/faults.rs"]
mod faults;
#[path = "store/isolation.rs"]
mod isolation;
#[path = "store/legacy.rs"]
mod legacy;
#[path = "store/migrations.rs"]
mod migrations;
#[path = "store/notices.rs"]
mod notices;
#[path = "store/planning.rs"]
mod planning;
#[path = "store/posts.rs"]
mod posts;
#[path = "store/projections.rs"]
mod projections;
#[path = "store/renewal.rs"]
mod renewal;
#[path = "store/reseal.rs"]
mod reseal;
#[path = "store/setup.rs"]
mod setup;
#[path = "store/tables.rs"]
mod tables;

use psn::dev::postgres::Version;
use std::future::Future;
use std::pin::Pin;

type Case = (&'static str, fn(setup::Bed) -> Pin<Box<dyn Future<Output = ()> + Send>>);

macro_rules! cases {
    ($($module:ident::$name:ident),+ $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), |bed| Box::pin($module::$name(bed)))),+]
    };
}

/// Each case gets a database of its own.
const CASES: &[Case] = cases![
    migrations::empty_database_twice,
    migrations::legacy_database_keeps_its_shape,
    migrations::runs_at_the_same_time,
    migrations::changed_file_is_refused,
    migrations::answer_lost_after_commit,
    migrations::failed_migration_leaves_nothing,
    tables::every_table_is_known_and_protected,
    tables::earlier_states_and_the_legacy_one_end_alike,
    tables::nobody_reaches_into_any_table,
    legacy::statements_of_the_legacy_program,
    isolation::nobody_reaches_another_users_rows,
    isolation::a_request_without_user_sees_nothing,
    posts::insert_finds_the_account,
    posts::insert_twice,
    posts::insert_with_the_answer_lost,
    posts::similar_candidates,
    posts::list_pages,
    posts::tombstone_and_delete,
    posts::claim_once,
    posts::claim_refusals,
    posts::claim_of_a_foreign_row,
    posts::foreign_due,
    projections::own_keys_only,
    projections::never_older_over_newer,
    accounts::import_replaces,
    accounts::several_per_platform,
    accounts::the_end_tells_the_age,
    accounts::imports_at_the_same_time,
    accounts::legacy_rows_are_read,
    renewal::stored_where_the_row_is_what_was_read,
    renewal::what_ends_first_is_found_first,
    reseal::everything_is_sealed_anew,
    reseal::the_legacy_form_can_be_kept,
    reseal::what_does_not_open_is_named,
    reseal::a_writer_in_between_wins,
    reseal::an_answer_lost_after_commit,
    planning::an_idea_grows,
    planning::ideas_of_a_hub_are_its_members,
    planning::ideas_come_page_by_page_and_end,
    planning::a_series_goes_on,
    closing::a_published_post_counts_once,
    closing::what_is_not_written_brings_nothing_about,
    closing::nobody_is_woken_for_what_nobody_hears,
    closing::odd_rows_do_not_keep_a_post_from_closing,
    closing::a_post_of_a_hub_goes_out_only_approved,
    closing::what_a_reviewer_changed_is_kept_once,
    closing::labels_lie_where_the_other_program_has_them,
    closing::no_two_posts_take_one_slot_of_a_plan,
    closing::a_post_that_moves_leaves_its_slot_free,
    closing::reviewers_see_their_hubs_posts,
    planning::a_week_has_one_plan,
    planning::no_two_posts_take_one_slot,
    counts::the_newest_counts_and_the_curve,
    counts::what_may_be_counted_is_found,
    counts::followers_are_counted_by_day,
    counts::what_worked_is_learnt,
    counts::averages_and_hours_are_learnt,
    counts::pages_of_counts_are_filtered,
    notices::an_event_is_told_once,
    notices::others_are_told_too,
    notices::a_message_is_tried_until_it_is_sent_or_dead,
    notices::what_may_have_arrived_is_given_up,
    notices::a_digest_loses_and_repeats_nothing,
    notices::preferences_are_kept,
    access::a_token_speaks_for_its_user_until_it_ends,
    access::an_invite_lets_one_in,
    access::whoever_leaves_is_out_at_once,
    access::settings_deeds_and_media,
    faults::retries_what_did_not_run,
    faults::deadline_and_statement_timeout,
    faults::wrong_password_is_said,
    faults::no_secret_in_any_error,
];

/// Runs every case side by side on one server, and says which failed.
async fn run_all(version: Version, owner_bypasses_rls: bool) {
    let ground = setup::Ground::start(version, owner_bypasses_rls).await;
    let mut running = Vec::new();
    for (name, case) in CASES {
        let bed = ground.bed(&name.replace("::", "_")).await;
        running.push((name, tokio::spawn(case(bed))));
    }
    let mut failed = Vec::new();
    for (name, case) in running {
        if let Err(error) = case.await {
            failed.push(format!("{name}: {error}"));
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_15() {
    run_all(Version::V15, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_15_as_an_owner_who_bypasses_row_level_security() {
    run_all(Version::V15, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_18() {
    run_all(Version::V18, false).await;
}
