//! Asking Durable Objects: one JSON request to each, one JSON answer back.

use crate::domain::id::{AccountId, PostId};
use crate::ports::json;
use crate::ports::objects::{
    AccountReply, AccountRequest, IndexReply, IndexRequest, ObjectError, Objects, PostReply, PostRequest,
};
use crate::worker::binding;
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::send::{SendFuture, SendWrapper};
use worker::{Env, Method, Request, RequestInit, Stub};

/// The objects behind the bindings of an environment.
#[derive(Clone)]
pub struct Bindings(SendWrapper<Env>);

impl Bindings {
    /// The objects of that environment.
    pub fn new(env: Env) -> Self {
        Self(SendWrapper::new(env))
    }

    fn stub(&self, binding: &str, name: &str) -> worker::Result<Stub> {
        self.0.durable_object(binding)?.get_by_name(name)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        binding: &str,
        name: &str,
        request: &impl Serialize,
    ) -> Result<T, ObjectError> {
        let body = serde_json::to_string(request).map_err(|error| ObjectError(error.to_string()))?;
        let answer = async {
            let mut init = RequestInit::new();
            init.with_method(Method::Post).with_body(Some(body.into()));
            // The name travels in the path: an object cannot ask for its own everywhere.
            let request = Request::new_with_init(&format!("https://object/{name}"), &init)?;
            self.stub(binding, name)?
                .fetch_with_request(request)
                .await?
                .text()
                .await
        };
        let text = answer.await.map_err(|error| ObjectError(error.to_string()))?;
        json::read(&text).map_err(|_| ObjectError(text))
    }
}

/// What an object is asked. Read as text: the runtime's own JSON would be taken apart by a second reader of each request.
pub async fn asked<T: DeserializeOwned>(mut request: Request) -> worker::Result<T> {
    let text = request.text().await?;
    json::read(&text).map_err(|error| worker::Error::RustError(format!("the request cannot be read: {error}")))
}

impl Objects for Bindings {
    fn post(&self, id: &PostId, request: PostRequest) -> impl Future<Output = Result<PostReply, ObjectError>> + Send {
        SendFuture::new(async move { self.ask(binding::POST, id.as_str(), &request).await })
    }

    fn account(
        &self,
        id: &AccountId,
        request: AccountRequest,
    ) -> impl Future<Output = Result<AccountReply, ObjectError>> + Send {
        SendFuture::new(async move { self.ask(binding::ACCOUNT, id.as_str(), &request).await })
    }

    fn index(&self, request: IndexRequest) -> impl Future<Output = Result<IndexReply, ObjectError>> + Send {
        SendFuture::new(async move { self.ask(binding::INDEX, binding::INDEX_NAME, &request).await })
    }
}
