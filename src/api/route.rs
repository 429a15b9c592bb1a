//! What a handler is: a function of one shape, whatever it asks of a request. All of them are reached through one table of
//! pointers and answer through one kind of future, so that a route costs the Worker its own code and nothing beside it.

use crate::api::auth::{self, Caller};
use crate::api::body::{self, Fields};
use crate::api::problem::Problem;
use crate::api::{Shared, body_bytes};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::handler::Handler;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use std::future::Future;
use std::pin::Pin;

/// A request as a handler gets it: with its body read where the caller is known, and unread on the open routes, which say
/// themselves how much they take.
pub struct Asked<B = Bytes> {
    /// What the path names first: an id, a week, a task. Empty where it names nothing.
    pub id: String,
    /// What the path names within that.
    pub within: String,
    /// The method.
    pub method: Method,
    /// The address.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: B,
}

impl<B> Asked<B> {
    /// The parameters of the query, in their order.
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.uri.query().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

impl Asked {
    /// The object that the body holds.
    ///
    /// # Errors
    /// As [`body::object`].
    pub fn object(&self) -> Result<Fields, Problem> {
        body::object(&self.headers, &self.body)
    }

    /// Makes sure that there is no body.
    ///
    /// # Errors
    /// As [`body::none`].
    pub fn no_body(&self) -> Result<(), Problem> {
        body::none(&self.headers, &self.body)
    }
}

/// An answer, in time.
pub type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler; [`known!`] and [`open!`] make one of a function.
pub enum Route<O, R> {
    /// For callers who are known.
    Known(fn(Shared<O, R>, Caller, Asked) -> Answering),
    /// For everybody.
    Open(fn(Shared<O, R>, Asked<Body>) -> Answering),
}

impl<O, R> Clone for Route<O, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O, R> Copy for Route<O, R> {}

/// The handler `async fn(Shared, Caller, Asked)`.
macro_rules! known {
    ($handler:path) => {
        $crate::api::route::Route::Known(|app, caller, asked| {
            Box::pin(async move { axum::response::IntoResponse::into_response($handler(app, caller, asked).await) })
        })
    };
}

/// The handler `async fn(Shared, Asked<Body>)`, for everybody.
macro_rules! open {
    ($handler:path) => {
        $crate::api::route::Route::Open(|app, asked| {
            Box::pin(async move { axum::response::IntoResponse::into_response($handler(app, asked).await) })
        })
    };
}

impl<O: 'static, R: 'static> Route<O, R>
where
    Shared<O, R>: Send,
{
    async fn answer(self, request: Request, app: Shared<O, R>) -> Result<Response, Response> {
        let (mut parts, body) = request.into_parts();
        let named = RawPathParams::from_request_parts(&mut parts, &()).await;
        let named = named.map_err(IntoResponse::into_response)?;
        let mut named = named.iter().map(|(_, value)| value.to_owned());
        let caller = auth::caller(&parts.extensions).cloned();
        let asked = Asked {
            id: named.next().unwrap_or_default(),
            within: named.next().unwrap_or_default(),
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            body: (),
        };
        let answering = match self {
            Self::Known(handler) => {
                let caller = caller.map_err(IntoResponse::into_response)?;
                // `admit` has measured it.
                let body = body_bytes(body, usize::MAX)
                    .await
                    .map_err(IntoResponse::into_response)?;
                handler(app, caller, asked.with(body))
            }
            Self::Open(handler) => handler(app, asked.with(body)),
        };
        Ok(answering.await)
    }
}

impl Asked<()> {
    fn with<B>(self, body: B) -> Asked<B> {
        Asked {
            id: self.id,
            within: self.within,
            method: self.method,
            uri: self.uri,
            headers: self.headers,
            body,
        }
    }
}

impl<O: Send + Sync + 'static, R: Send + Sync + 'static> Handler<Asked, Shared<O, R>> for Route<O, R> {
    type Future = Answering;

    fn call(self, request: Request, app: Shared<O, R>) -> Answering {
        Box::pin(async move { self.answer(request, app).await.unwrap_or_else(|refused| refused) })
    }
}
