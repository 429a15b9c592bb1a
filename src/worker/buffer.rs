//! Large pieces of bytes on their way through this memory. V8 looks for dead buffers only once 64 MiB of them have come
//! together, which is half of what an isolate may hold: their memory is given back at once.

use crate::domain::limits::CHUNK_BYTES;
use axum::body::{Body, Bytes};
use futures_util::stream;
use worker::js_sys::{ArrayBuffer, Function, Reflect, Uint8Array};
use worker::send::SendFuture;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::Request;
use worker::{FromRequest, Headers, HttpRequest};

/// A copy of bytes on JavaScript's side; its memory is given back when this goes.
pub struct Lent(Uint8Array);

impl Lent {
    /// Copies them.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Uint8Array::from(bytes))
    }

    /// As a value.
    pub fn value(&self) -> JsValue {
        self.0.clone().into()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        give_back(&self.0.buffer());
    }
}

/// `buffer.transfer(0)` (ES2024) frees what it held.
fn give_back(buffer: &ArrayBuffer) {
    let transfer = Reflect::get(buffer, &"transfer".into()).unwrap_or_default();
    if let Some(transfer) = transfer.dyn_ref::<Function>() {
        let _ = transfer.call1(buffer, &0.into());
    }
}

/// A request as the router takes it. The body of one that carries a chunk of a medium is read in one piece.
pub fn inbound(raw: Request) -> worker::Result<http::Request<Body>> {
    let length = raw.headers().get("content-length").ok().flatten();
    let length = length.and_then(|length| length.parse::<u64>().ok());
    if raw.method() != "PUT" || length.is_none_or(|length| length > CHUNK_BYTES) {
        let request = HttpRequest::from_raw(raw).map_err(|error| {
            let error: Box<dyn std::error::Error> = error.into();
            worker::Error::RustError(error.to_string())
        })?;
        return Ok(request.map(Body::new));
    }
    let mut builder = http::Request::builder().method(http::Method::PUT).uri(raw.url());
    if let Some(headers) = builder.headers_mut() {
        *headers = Headers(raw.headers()).into();
    }
    let body = Body::from_stream(stream::once(SendFuture::new(whole(raw))));
    builder
        .body(body)
        .map_err(|error| worker::Error::RustError(error.to_string()))
}

async fn whole(raw: Request) -> worker::Result<Bytes> {
    let buffer: ArrayBuffer = JsFuture::from(raw.array_buffer()?).await?.unchecked_into();
    let bytes = Uint8Array::new(&buffer).to_vec();
    give_back(&buffer);
    Ok(bytes.into())
}
