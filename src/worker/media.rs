//! Media in a bucket of R2.

use crate::domain::media::{MediaId, Medium};
use crate::domain::time::Timestamp;
use crate::net::reqwest::{open, stream};
use crate::ports::json;
use crate::ports::media::{
    Boxed, ChunkTag, KEY_PREFIX, Kept, MediaBytes, MediaError, MediaStore, MediumRange, bytes_key, described_by,
    description_key,
};
use crate::worker::binding;
use crate::worker::buffer::Lent;
use bytes::Bytes;
use std::future::Future;
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::ReadableStream;
use worker::worker_sys::{R2Bucket, R2MultipartUpload, R2UploadedPart};
use worker::{Bucket, Env, MultipartUpload, UploadedPart};

/// Most names that R2 gives at once.
const LIST_KEYS_MAX: u32 = 1_000;

/// The media of an environment. Without a bucket every answer is [`MediaError::NotSetUp`].
#[derive(Clone)]
pub struct R2Media(Option<SendWrapper<Bucket>>);

impl R2Media {
    /// The media of that environment.
    #[must_use]
    pub fn of(env: &Env) -> Self {
        Self(env.bucket(binding::MEDIA).ok().map(SendWrapper::new))
    }

    /// The media in that bucket.
    #[must_use]
    pub fn new(bucket: Bucket) -> Self {
        Self(Some(SendWrapper::new(bucket)))
    }

    fn bucket(&self) -> Result<&Bucket, MediaError> {
        self.0.as_deref().ok_or(MediaError::NotSetUp)
    }

    /// Bytes of a medium as they come, for the runtime to move.
    ///
    /// # Errors
    /// As [`MediaBytes::read`].
    pub async fn stream(&self, range: &MediumRange) -> Result<ReadableStream, MediaError> {
        stream(&open(self.bucket()?, range).await?)
    }

    fn upload(&self, id: &MediaId, upload: &str) -> Result<MultipartUpload, MediaError> {
        let resumed = self.bucket()?.resume_multipart_upload(bytes_key(id), upload);
        resumed.map_err(unavailable)
    }
}

/// The runtime has one thread: nothing that is not `Send` can leave it.
fn boxed<'a, T>(future: impl Future<Output = Result<T, MediaError>> + 'a) -> Boxed<'a, Result<T, MediaError>> {
    Box::pin(SendFuture::new(future))
}

/// What R2 said. Its messages end with a number that tells which: no such key, upload or part
/// (<https://developers.cloudflare.com/r2/api/error-codes/>).
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn unavailable(error: worker::Error) -> MediaError {
    let words = error.to_string();
    if ["(10007)", "(10024)", "(10025)"]
        .iter()
        .any(|code| words.contains(code))
    {
        return MediaError::NotFound;
    }
    MediaError::Unavailable(words)
}

/// The 32 bytes that an id stands for.
fn sha256(id: &MediaId) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0);
    let pairs = id.as_str().as_bytes().chunks(2);
    let bytes = pairs.map(|pair| pair.iter().fold(0, |value, byte| value * 16 + digit(*byte)));
    bytes.map(|byte| u8::try_from(byte).unwrap_or(0)).collect()
}

/// The medium that an object of the bucket describes.
fn medium_of(object: &worker::Object) -> Option<Kept> {
    let id = described_by(&object.key())?;
    let since = i64::try_from(object.uploaded().as_millis()).unwrap_or(i64::MAX);
    Some(Kept {
        id,
        since: Timestamp(since),
    })
}

impl MediaBytes for R2Media {
    fn read<'a>(&'a self, range: &'a MediumRange) -> Boxed<'a, Result<Bytes, MediaError>> {
        boxed(async move {
            let opened = open(self.bucket()?, range).await?;
            let body = opened.body().ok_or(MediaError::NotFound)?;
            let bytes = body.bytes().await.map_err(unavailable)?;
            Ok(bytes.into())
        })
    }
}

impl MediaStore for R2Media {
    fn find<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<Option<Medium>, MediaError>> {
        boxed(async move {
            let found = self.bucket()?.get(description_key(id)).execute().await;
            let Some(found) = found.map_err(unavailable)? else {
                return Ok(None);
            };
            let body = found.body().ok_or(MediaError::NotFound)?;
            let text = body.text().await.map_err(unavailable)?;
            let unreadable = |_| MediaError::Unavailable("its description cannot be read".to_owned());
            json::read(&text).map(Some).map_err(unreadable)
        })
    }

    fn put<'a>(&'a self, id: &'a MediaId, bytes: Bytes) -> Boxed<'a, Result<(), MediaError>> {
        boxed(async move {
            let put = self.bucket()?.put(bytes_key(id), Vec::from(bytes)).sha256(sha256(id));
            put.execute().await.map(|_| ()).map_err(unavailable)
        })
    }

    fn begin<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<String, MediaError>> {
        boxed(async move {
            let begun = self.bucket()?.create_multipart_upload(bytes_key(id)).execute().await;
            Ok(begun.map_err(unavailable)?.upload_id().await)
        })
    }

    fn chunk<'a>(
        &'a self,
        id: &'a MediaId,
        upload: &'a str,
        number: u16,
        bytes: Bytes,
    ) -> Boxed<'a, Result<ChunkTag, MediaError>> {
        boxed(async move {
            let failed = |error: JsValue| unavailable(error.into());
            let bucket: &R2Bucket = self.bucket()?.as_ref().unchecked_ref();
            let resumed = bucket.resume_multipart_upload(bytes_key(id), upload.to_owned());
            let resumed: R2MultipartUpload = resumed.map_err(failed)?.unchecked_into();
            let lent = Lent::new(&bytes);
            drop(bytes);
            let part = resumed.upload_part(number, lent.value()).map_err(failed)?;
            let part: R2UploadedPart = JsFuture::from(part).await.map_err(failed)?.unchecked_into();
            let etag = part.etag().map_err(failed)?;
            Ok(ChunkTag { number, etag })
        })
    }

    fn complete<'a>(
        &'a self,
        id: &'a MediaId,
        upload: &'a str,
        chunks: &'a [ChunkTag],
    ) -> Boxed<'a, Result<u64, MediaError>> {
        boxed(async move {
            let parts = chunks.iter().map(|tag| UploadedPart::new(tag.number, tag.etag.clone()));
            let whole = self.upload(id, upload)?.complete(parts).await;
            Ok(whole.map_err(unavailable)?.size())
        })
    }

    fn describe<'a>(&'a self, medium: &'a Medium) -> Boxed<'a, Result<(), MediaError>> {
        boxed(async move {
            let text = serde_json::to_string(medium).map_err(|error| MediaError::Unavailable(error.to_string()))?;
            let put = self.bucket()?.put(description_key(&medium.id), text);
            put.execute().await.map(|_| ()).map_err(unavailable)
        })
    }

    fn list<'a>(&'a self, after: Option<&'a MediaId>, limit: usize) -> Boxed<'a, Result<Vec<Kept>, MediaError>> {
        boxed(async move {
            let (bucket, mut kept) = (self.bucket()?, Vec::new());
            let mut last = after.map(description_key);
            // Bytes have names too, so that a page of R2 holds fewer media than names.
            while kept.len() < limit {
                let mut page = bucket.list().prefix(KEY_PREFIX).limit(LIST_KEYS_MAX);
                if let Some(last) = &last {
                    page = page.start_after(last.clone());
                }
                let page = page.execute().await.map_err(unavailable)?;
                let objects = page.objects();
                kept.extend(objects.iter().filter_map(medium_of));
                last = objects.last().map(worker::Object::key);
                if !page.truncated() || last.is_none() {
                    break;
                }
            }
            kept.truncate(limit.min(1_000));
            Ok(kept)
        })
    }

    fn remove<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<(), MediaError>> {
        boxed(async move {
            let keys = vec![description_key(id), bytes_key(id)];
            self.bucket()?.delete_multiple(keys).await.map_err(unavailable)
        })
    }

    fn mark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        boxed(async move {
            for name in names {
                let put = self.bucket()?.put(name, Vec::new()).execute().await;
                put.map_err(unavailable)?;
            }
            Ok(())
        })
    }

    fn marks(&self, prefix: String, after: Option<String>, limit: usize) -> Boxed<'_, Result<Vec<String>, MediaError>> {
        boxed(async move {
            let most = u32::try_from(limit).unwrap_or(LIST_KEYS_MAX).clamp(1, LIST_KEYS_MAX);
            let mut page = self.bucket()?.list().prefix(prefix).limit(most);
            if let Some(after) = after {
                page = page.start_after(after);
            }
            let page = page.execute().await.map_err(unavailable)?;
            Ok(page.objects().iter().map(worker::Object::key).collect())
        })
    }

    fn unmark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        boxed(async move { self.bucket()?.delete_multiple(names).await.map_err(unavailable) })
    }
}
