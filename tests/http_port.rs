//! The contract of the HTTP port, against a server that misbehaves on purpose and counts what arrives: one list of
//! scenarios, played natively and in the Workers runtime.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "http_port/scenarios.rs"]
mod scenarios;
#[path = "http_port/server.rs"]
mod server;
#[path = "http_port/workerd.rs"]
mod workerd;

use psn::net::Client;
use psn::ports::http::{HttpClient, HttpErrorKind};

/// An implementation, and where the contract lets it differ.
pub trait Port: HttpClient {
    /// What a request without a connection ends with: Workers cannot know that it was not sent.
    const UNCONNECTED: HttpErrorKind;
    /// Whether connections are used again. The runtime does so, and nobody can forbid it.
    const KEEPS_CONNECTIONS: bool;
}

impl Port for Client {
    const UNCONNECTED: HttpErrorKind = HttpErrorKind::NotSent;
    const KEEPS_CONNECTIONS: bool = false;
}

macro_rules! play {
    ($($scenario:ident),+ $(,)?) => {
        mod natively {
            $(#[tokio::test]
            async fn $scenario() {
                super::scenarios::$scenario(&super::Client::new().unwrap()).await;
            })+
        }

        mod in_the_runtime {
            $(#[tokio::test]
            async fn $scenario() {
                let port = super::workerd::Workerd::start().await;
                super::scenarios::$scenario(&port).await;
            })+
        }
    };
}

// A scenario that is missing here is dead code, which the lints refuse.
play!(
    a_redirect_is_an_answer,
    errors_of_the_server_are_answers,
    the_deadline_covers_the_connection,
    the_deadline_covers_the_answer,
    a_cut_answer_may_have_taken_effect,
    a_reset_connection_may_have_sent,
    a_refused_connection_is_an_error,
    an_address_that_is_none_is_an_error,
    a_connection_that_dies_never_repeats_a_request,
    what_is_sent_and_answered_arrives_as_it_is,
    a_body_may_be_empty,
    an_answer_without_length_ends_with_its_connection,
    an_answer_is_read_up_to_the_limit,
);
