//! The contract of the HTTP port (and of the store that its attached media come from, and of the time zones), against a server that misbehaves on purpose and counts what arrives: one list of
//! scenarios, played natively and in the Workers runtime.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/heap.rs"]
mod heap;
#[path = "http_port/scenarios.rs"]
mod scenarios;
#[path = "http_port/server.rs"]
mod server;
#[path = "http_port/store.rs"]
mod store;
#[path = "http_port/workerd.rs"]
mod workerd;
#[path = "http_port/zones.rs"]
mod zones;

use bytes::Bytes;
use psn::domain::media::MediaId;
use psn::net::Client;
use psn::ports::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use psn::ports::memory::MemoryMedia;
use std::future::Future;
use std::sync::Arc;

/// An implementation, and where the contract lets it differ.
pub trait Port: HttpClient {
    /// What a request without a connection ends with: Workers cannot know that it was not sent.
    const UNCONNECTED: HttpErrorKind;
    /// Whether connections are used again. The runtime does so, and nobody can forbid it.
    const KEEPS_CONNECTIONS: bool;
    /// Whether media are read as the connection takes them, so that nothing follows once an exchange is over.
    const STREAMS: bool;

    /// Puts bytes where the client finds them as a medium.
    fn keep(&self, id: &MediaId, bytes: Bytes) -> impl Future<Output = ()>;
}

/// The client of this machine, with media in memory.
pub struct Native {
    client: Client,
    media: Arc<MemoryMedia>,
}

impl Native {
    fn new() -> Self {
        let media = Arc::new(MemoryMedia::default());
        let client = Client::new().unwrap().with_media(media.clone());
        Self { client, media }
    }
}

impl HttpClient for Native {
    fn send(&self, request: HttpRequest) -> impl Future<Output = Result<HttpResponse, HttpError>> + Send {
        self.client.send(request)
    }
}

impl Port for Native {
    const UNCONNECTED: HttpErrorKind = HttpErrorKind::NotSent;
    const KEEPS_CONNECTIONS: bool = false;
    const STREAMS: bool = false;

    async fn keep(&self, id: &MediaId, bytes: Bytes) {
        self.media.keep(id.clone(), bytes);
    }
}

macro_rules! play {
    ($($scenario:ident),+ $(,)?) => {
        mod natively {
            $(#[tokio::test]
            async fn $scenario() {
                super::scenarios::$scenario(&super::Native::new()).await;
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
    what_is_attached_lies_between_the_bytes_around_it,
    without_its_medium_nothing_is_sent,
    the_deadline_covers_what_is_attached,
    an_answer_may_come_before_all_is_sent,
    a_connection_that_breaks_while_sending_may_have_sent,
);
