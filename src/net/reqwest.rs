//! The HTTP port, implemented for both targets under one name: natively on reqwest, on wasm32 on the runtime's `fetch`.
//!
//! Both keep the port's contract: a redirect is an answer, a deadline covers the whole exchange, nothing is ever sent
//! again, and an answer is read up to [`RESPONSE_BYTES_MAX`]. This is the one file below `worker/` and `cli/` in which
//! the target shows.

use crate::domain::time::Millis;
use crate::ports::http::{HttpError, HttpErrorKind, RESPONSE_BYTES_MAX};
use std::time::Duration;

#[cfg(not(target_arch = "wasm32"))]
pub use native::Client;
#[cfg(target_arch = "wasm32")]
pub use workers::{Client, open, stream};

fn not_sent(message: impl Into<String>) -> HttpError {
    HttpError {
        kind: HttpErrorKind::NotSent,
        message: message.into(),
    }
}

fn maybe_sent(message: impl Into<String>) -> HttpError {
    HttpError {
        kind: HttpErrorKind::MaybeSent,
        message: message.into(),
    }
}

fn too_late(deadline: Millis) -> HttpError {
    maybe_sent(format!("no complete answer within {} ms", deadline.0))
}

fn too_long() -> HttpError {
    maybe_sent(format!("the answer is longer than {RESPONSE_BYTES_MAX} bytes"))
}

fn duration(deadline: Millis) -> Duration {
    Duration::from_millis(u64::try_from(deadline.0).unwrap_or(0))
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use super::{duration, maybe_sent, not_sent, too_late, too_long};
    use crate::ports::http::{HttpClient, HttpError, HttpRequest, HttpResponse, RESPONSE_BYTES_MAX};
    use crate::ports::media::{MediaBytes, MediaError};
    use bytes::{Bytes, BytesMut};
    use std::error::Error;
    use std::io;
    use std::sync::Arc;

    /// The HTTP client. Cloning is cheap.
    #[derive(Clone)]
    pub struct Client {
        inner: ::reqwest::Client,
        media: Option<Arc<dyn MediaBytes>>,
    }

    impl std::fmt::Debug for Client {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Client")
        }
    }

    impl Client {
        /// A client that follows no redirect, uses no proxy of the environment and opens one connection per request.
        ///
        /// One connection per request because a kept one may be dead: what is written to it is then *maybe sent*, and
        /// the library would try again by itself on another. A handshake is cheaper than a look-up.
        ///
        /// # Errors
        /// [`HttpErrorKind::NotSent`] when the system's TLS set-up cannot be used.
        pub fn new() -> Result<Self, HttpError> {
            ::reqwest::Client::builder()
                .redirect(::reqwest::redirect::Policy::none())
                .retry(::reqwest::retry::never())
                .pool_max_idle_per_host(0)
                .referer(false)
                .no_proxy()
                .build()
                .map(|inner| Self { inner, media: None })
                .map_err(|error| not_sent(format!("the HTTP client could not be set up: {}", cause(&error))))
        }

        /// The same client, with the place where the bytes of media lie.
        #[must_use]
        pub fn with_media(self, media: Arc<dyn MediaBytes>) -> Self {
            let media = Some(media);
            Self { media, ..self }
        }

        /// The whole body. What is attached is read as a whole: here, unlike on Workers, memory is no concern.
        async fn body(&self, request: &HttpRequest) -> Result<Bytes, HttpError> {
            let Some(attached) = &request.attached else {
                return Ok(request.body.clone());
            };
            let read = match &self.media {
                Some(media) => media.read(&attached.range).await,
                None => Err(MediaError::NotSetUp),
            };
            let bytes = read.map_err(|why| not_sent(why.to_string()))?;
            Ok([&request.body, &bytes, &attached.after]
                .map(|part| &part[..])
                .concat()
                .into())
        }

        async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
            let body = self.body(&request).await?;
            let mut answer = self
                .inner
                .request(request.method, request.url)
                .headers(request.headers)
                .body(body)
                .send()
                .await
                .map_err(|error| describe(&error))?;
            let status = answer.status().as_u16();
            let headers = std::mem::take(answer.headers_mut());
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| describe(&error))? {
                if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
                    return Err(too_long());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(HttpResponse {
                status,
                headers,
                body: body.freeze(),
            })
        }
    }

    impl HttpClient for Client {
        async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
            let deadline = request.deadline;
            tokio::time::timeout(duration(deadline), self.exchange(request))
                .await
                .unwrap_or_else(|_| Err(too_late(deadline)))
        }
    }

    /// Only a connection that never opened, or a request that could not even be built, is surely not sent.
    fn describe(error: &::reqwest::Error) -> HttpError {
        if error.is_connect() {
            return not_sent(format!("the connection could not be opened: {}", cause(error)));
        }
        if error.is_builder() {
            return not_sent("the request could not be built: check the configured address and the header values");
        }
        if error.is_body() || error.is_decode() {
            return maybe_sent(format!("the answer was cut: {}", cause(error)));
        }
        maybe_sent(format!("the connection broke before the answer: {}", cause(error)))
    }

    /// The innermost cause: the outer ones may name the address.
    fn cause(error: &::reqwest::Error) -> String {
        let mut innermost: Option<&dyn Error> = None;
        let mut next = error.source();
        while let Some(inner) = next {
            innermost = Some(inner);
            next = inner.source();
        }
        innermost.map_or_else(|| "cause not known".to_owned(), in_words)
    }

    /// A cause as people say it.
    fn in_words(cause: &(dyn Error + 'static)) -> String {
        let text = cause.to_string();
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let known = match kind {
            Some(io::ErrorKind::ConnectionRefused) => Some("nobody listens there"),
            Some(io::ErrorKind::ConnectionReset) => Some("the other side ended it"),
            Some(io::ErrorKind::UnexpectedEof) => Some("the other side ended it early"),
            _ if text.contains("failed to lookup address") => Some("the name is not known, or there is no network"),
            _ => None,
        };
        let (plain, _) = text.split_once(" (os error").unwrap_or((&text, ""));
        known.unwrap_or(plain).to_owned()
    }
}

#[cfg(target_arch = "wasm32")]
mod workers {
    use super::{duration, maybe_sent, not_sent, too_late, too_long};
    use crate::ports::http::{Attached, HttpClient, HttpError, HttpRequest, HttpResponse, RESPONSE_BYTES_MAX};
    use crate::ports::json;
    use crate::ports::media::{MediaError, MediumRange, bytes_key};
    use bytes::{Bytes, BytesMut};
    use futures_util::future::{Either, select};
    use http::{HeaderMap, HeaderName, HeaderValue};
    use std::convert::Infallible;
    use std::future::Future;
    use std::pin::pin;
    use worker::js_sys::{Array, BigInt, Function, JSON, Object, Promise, Reflect, Uint8Array, global};
    use worker::send::{SendFuture, SendWrapper};
    use worker::wasm_bindgen::{JsCast, JsValue};
    use worker::wasm_bindgen_futures::JsFuture;
    use worker::web_sys::{
        Headers, ReadableStream, ReadableStreamDefaultReader, RequestInit, RequestRedirect, Response,
        WorkerGlobalScope, WritableStream,
    };
    use worker::worker_sys::FixedLengthStream;
    use worker::{AbortController, AbortSignal, Bucket, Delay, Range, ResponseBody};

    /// The HTTP client. Cloning is cheap.
    #[derive(Clone, Debug)]
    pub struct Client {
        media: Option<SendWrapper<Bucket>>,
    }

    /// Ends the exchange when it is dropped before its answer is complete.
    struct Abort(Option<AbortController>);

    impl Drop for Abort {
        fn drop(&mut self) {
            if let Some(controller) = self.0.take() {
                controller.abort();
            }
        }
    }

    impl Client {
        /// A client that follows no redirect.
        ///
        /// # Errors
        /// None on this target.
        pub fn new() -> Result<Self, HttpError> {
            Ok(Self { media: None })
        }

        /// The same client, with the bucket where the bytes of media lie.
        #[must_use]
        pub fn with_media(self, media: Bucket) -> Self {
            let media = Some(SendWrapper::new(media));
            Self { media }
        }
    }

    impl HttpClient for Client {
        fn send(&self, request: HttpRequest) -> impl Future<Output = Result<HttpResponse, HttpError>> + Send {
            // The runtime has one thread: nothing that is not `Send` can leave it.
            SendFuture::new(async move {
                let (deadline, streams) = (request.deadline, request.attached.is_some());
                let controller = AbortController::default();
                let signal = controller.signal();
                let mut abort = Abort(Some(controller));
                let late = pin!(Delay::from(duration(deadline)));
                match select(pin!(self.exchange(request, &signal)), late).await {
                    Either::Left((answer, _)) => {
                        // An answer may come before all was sent: what still streams ends with it.
                        if answer.is_ok() && !streams {
                            abort.0 = None;
                        }
                        answer
                    }
                    Either::Right(((), _)) => Err(too_late(deadline)),
                }
            })
        }
    }

    impl Client {
        /// Once the medium is open every error is *maybe sent*: the runtime does not tell a refused connection from one
        /// that broke after the request was read.
        async fn exchange(&self, request: HttpRequest, signal: &AbortSignal) -> Result<HttpResponse, HttpError> {
            let unbuilt =
                |_| maybe_sent("the request could not be built: check the configured address and the header values");
            let init = build(&request, signal).map_err(unbuilt)?;
            let Some(attached) = &request.attached else {
                return fetch(&request, &init).await;
            };
            let upload = Upload::open(self.media.as_deref(), attached, &request).await;
            let upload = upload.map_err(|why| not_sent(why.to_string()))?;
            init.set_body(&upload.pipe.readable());
            match select(pin!(fetch(&request, &init)), pin!(upload.pour())).await {
                Either::Left((answer, _)) => answer,
                Either::Right((never, _)) => match never {},
            }
        }
    }

    /// Bytes of a medium in that bucket, about to be read.
    ///
    /// # Errors
    /// [`MediaError::NotFound`] also where the range does not lie within the medium.
    pub async fn open(bucket: &Bucket, range: &MediumRange) -> Result<worker::Object, MediaError> {
        let wanted = Range::OffsetWithLength {
            offset: range.first,
            length: range.length,
        };
        let found = bucket.get(bytes_key(&range.id)).range(wanted).execute().await;
        let found = match found {
            Ok(found) => found,
            Err(error) => return Err(refused(bucket, range, &error.into()).await),
        };
        // R2 gives less where a range ends behind the medium.
        found
            .filter(|found| lies_within(range, found))
            .ok_or(MediaError::NotFound)
    }

    fn lies_within(range: &MediumRange, medium: &worker::Object) -> bool {
        range.first.saturating_add(range.length) <= medium.size()
    }

    /// R2 refuses a range that begins behind the medium; not all that speak its protocol say that this is why.
    async fn refused(bucket: &Bucket, range: &MediumRange, error: &JsValue) -> MediaError {
        match bucket.head(bytes_key(&range.id)).await {
            Ok(Some(found)) if !lies_within(range, &found) => MediaError::NotFound,
            _ => MediaError::Unavailable(words(error)),
        }
    }

    /// The bytes of what was opened, as they come.
    ///
    /// # Errors
    /// [`MediaError::NotFound`] where there are none.
    pub fn stream(opened: &worker::Object) -> Result<ReadableStream, MediaError> {
        match opened.body().map(worker::ObjectBody::response_body) {
            Some(Ok(ResponseBody::Stream(stream))) => Ok(stream),
            _ => Err(MediaError::NotFound),
        }
    }

    /// A body around bytes of a medium. The runtime itself moves those from the bucket to the connection: none of them
    /// pass through this memory, and no more of them are read than the connection takes.
    struct Upload {
        before: Bytes,
        medium: ReadableStream,
        after: Bytes,
        pipe: FixedLengthStream,
    }

    impl Upload {
        async fn open(media: Option<&Bucket>, attached: &Attached, request: &HttpRequest) -> Result<Self, MediaError> {
            let medium = open(media.ok_or(MediaError::NotSetUp)?, &attached.range).await?;
            let medium = stream(&medium)?;
            let pipe = FixedLengthStream::new_big_int(BigInt::from(request.body_bytes()));
            Ok(Self {
                before: request.body.clone(),
                medium,
                after: attached.after.clone(),
                pipe: pipe.map_err(|error| MediaError::Unavailable(words(&error)))?,
            })
        }

        /// Sends the body. Whatever fails breaks the stream, and with it the exchange, which then says so.
        async fn pour(self) -> Infallible {
            let sink = self.pipe.writable();
            if write(&sink, &self.before).await.is_ok() && self.pipe_medium(&sink).await.is_ok() {
                let _ = write(&sink, &self.after).await;
                if let Ok(closed) = sink.get_writer().map(|writer| writer.close()) {
                    let _ = JsFuture::from(closed).await;
                }
            }
            std::future::pending().await
        }

        async fn pipe_medium(&self, sink: &WritableStream) -> Result<(), JsValue> {
            let options = Object::new();
            Reflect::set(&options, &"preventClose".into(), &true.into())?;
            let pipe_to: Function = Reflect::get(&self.medium, &"pipeTo".into())?.unchecked_into();
            let piped: Promise = pipe_to.call2(&self.medium, sink, &options)?.unchecked_into();
            JsFuture::from(piped).await.map(|_| ())
        }
    }

    async fn write(sink: &WritableStream, bytes: &Bytes) -> Result<(), JsValue> {
        if bytes.is_empty() {
            return Ok(());
        }
        let writer = sink.get_writer()?;
        let written = JsFuture::from(writer.write_with_chunk(&Uint8Array::from(bytes.as_ref()))).await;
        writer.release_lock();
        written.map(|_| ())
    }

    /// This speaks to `fetch` itself: a thread has many exchanges, and each value that crosses from JavaScript costs. The
    /// wrappers of `worker` read every property of a request and a response, asked for or not.
    async fn fetch(request: &HttpRequest, init: &RequestInit) -> Result<HttpResponse, HttpError> {
        let is_head = request.method == http::Method::HEAD;
        let scope: WorkerGlobalScope = global().unchecked_into();
        // An address that is none is repeated in the error, and nothing marks it as an address.
        let answer: Response = JsFuture::from(scope.fetch_with_str_and_init(&request.url, init))
            .await
            .map_err(|error| {
                maybe_sent(format!(
                    "there was no answer: {}",
                    words(&error).replace(&request.url, "…")
                ))
            })?
            .unchecked_into();
        let status = answer.status();
        let headers = read_headers(&answer.headers());
        let body = match answer.body() {
            Some(stream) => read_body(&stream).await?,
            None => Bytes::new(),
        };
        // These answers have no body, whatever length they announce (RFC 9110, section 8.6).
        let bodiless = is_head || matches!(status, 204 | 304);
        if !bodiless && is_cut(&headers, body.len()) {
            return Err(maybe_sent("the answer was cut: it is shorter than announced"));
        }
        Ok(HttpResponse { status, headers, body })
    }

    fn build(request: &HttpRequest, signal: &AbortSignal) -> Result<RequestInit, JsValue> {
        let headers = Headers::new()?;
        for (name, value) in &request.headers {
            let value = value.to_str().map_err(|_| JsValue::NULL)?;
            headers.append(name.as_str(), value)?;
        }
        let init = RequestInit::new();
        init.set_method(request.method.as_str());
        init.set_headers(&headers);
        init.set_redirect(RequestRedirect::Manual);
        init.set_signal(Some(signal));
        if !request.body.is_empty() && request.attached.is_none() {
            init.set_body(&Uint8Array::from(request.body.as_ref()));
        }
        Ok(init)
    }

    async fn read_body(stream: &ReadableStream) -> Result<Bytes, HttpError> {
        let cut = |error: JsValue| maybe_sent(format!("the answer was cut: {}", words(&error)));
        let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        let mut body = BytesMut::new();
        loop {
            let read = JsFuture::from(reader.read()).await.map_err(cut)?;
            let chunk = Reflect::get(&read, &"value".into()).map_err(cut)?;
            if chunk.is_undefined() {
                return Ok(body.freeze());
            }
            let chunk: Uint8Array = chunk.unchecked_into();
            let (start, length) = (body.len(), chunk.length() as usize);
            if start + length > RESPONSE_BYTES_MAX {
                return Err(too_long());
            }
            body.resize(start + length, 0);
            chunk.copy_to(&mut body[start..]);
        }
    }

    /// All headers at once, as JSON: one crossing instead of several for each.
    fn read_headers(from: &Headers) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let pairs = JSON::stringify(&Array::from(from))
            .map(String::from)
            .unwrap_or_default();
        for (name, value) in json::read::<Vec<(String, String)>>(&pairs).unwrap_or_default() {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.append(name, value);
            }
        }
        headers
    }

    /// The bindings take the error `aborted` for the end of a body. The announced length tells, unless it counts packed
    /// bytes.
    fn is_cut(headers: &HeaderMap, read: usize) -> bool {
        if headers.contains_key(http::header::CONTENT_ENCODING) {
            return false;
        }
        let announced = headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        announced.is_some_and(|announced: usize| read < announced)
    }

    /// The runtime's words without any address in them.
    fn words(error: &JsValue) -> String {
        let message = worker::Error::from(error.clone()).to_string();
        let words = message.split_whitespace().filter(|word| !word.contains("://"));
        words.collect::<Vec<_>>().join(" ").chars().take(200).collect()
    }
}
