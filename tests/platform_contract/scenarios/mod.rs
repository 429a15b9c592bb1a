//! The one list: what every platform has to do, or the counterpart that it has instead.

mod doubts;
mod kills;
mod limits;
mod people;
mod success;
pub mod together;
mod tokens;
mod tried;

use crate::bench::Bench;
use crate::place::Boxed;

/// A scenario that is played on every platform.
pub struct Scenario {
    pub name: &'static str,
    /// Whether it changes how the platform, the program or the database is for everybody.
    pub plays_alone: bool,
    pub play: for<'a> fn(&'a Bench) -> Boxed<'a, ()>,
}

macro_rules! list {
    ($($alone:ident $module:ident::$name:ident,)*) => {
        &[$(Scenario {
            name: stringify!($name),
            plays_alone: list!(@ $alone),
            play: |bench| Box::pin($module::$name(bench)),
        },)*]
    };
    (@ alone) => { true };
    (@ beside) => { false };
}

pub const ALL: &[Scenario] = list![
    beside success::text_is_published,
    beside success::image_is_published,
    beside success::several_images_are_published,
    beside success::video_is_published,
    beside success::own_kind_is_published,
    beside success::scheduled_post_goes_out_at_its_time,
    beside success::parts_go_out_in_order_or_not_at_all,
    beside success::unfit_content_is_refused_at_creation,
    beside doubts::ambiguous_publish_is_looked_up,
    beside doubts::call_that_never_arrived_is_made_again,
    beside doubts::server_error_after_the_effect_is_a_doubt,
    beside doubts::server_error_before_the_effect_is_a_doubt,
    beside doubts::answer_without_an_id_is_a_doubt,
    beside doubts::answer_that_is_no_json_is_a_doubt,
    beside doubts::lost_answer_of_an_upload_is_no_doubt,
    alone doubts::expired_handle_is_made_anew,
    alone doubts::processing_takes_its_time,
    alone doubts::processing_that_fails_is_told,
    alone limits::rate_limit_is_rescheduled,
    alone limits::every_form_of_a_limit_is_rescheduled,
    alone limits::one_post_a_day_is_waited_for,
    alone limits::operator_is_told_and_the_post_kept,
    alone limits::rejection_is_returned_not_thrown,
    beside limits::repeated_text_is_refused_or_another_post,
    alone tokens::expired_token_is_refreshed_before_publish,
    alone tokens::new_token_is_durable_before_the_call,
    beside tokens::dead_token_keeps_the_post_until_the_account_is_connected,
    beside tried::account_is_tried_and_nothing_is_left_unsaid,
    beside people::cancelled_before_its_time_it_never_goes_out,
    beside people::cancelled_in_flight_it_says_what_is_out,
    beside people::cancelled_while_it_is_prepared_it_never_goes_out,
    beside people::publish_pressed_twice_sends_once,
    beside people::edit_is_refused_once_the_call_has_left,
    alone kills::killed_in_mid_upload_it_goes_on,
    alone kills::killed_before_the_effect_it_goes_out_once,
    alone kills::killed_after_the_effect_it_is_out_once,
    alone kills::killed_before_its_time_it_goes_out_at_its_time,
    alone kills::database_away_in_mid_publish_costs_nothing,
];
