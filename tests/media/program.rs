//! `psn media` against a real server, killed in the middle of an upload.

use super::files::{mp4, png};
use super::{TOKEN, api, hash};
use bytes::Bytes;
use psn::domain::limits::CHUNK_BYTES;
use psn::domain::media::{MediaId, Medium};
use psn::ports::media::{Boxed, ChunkTag, Kept, MediaBytes, MediaError, MediaStore, MediumRange, NoMedia};
use psn::ports::memory::MemoryMedia;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use tokio::process::Command;
use tokio::sync::Notify;

/// A store that writes down which chunks come, and lets nobody past one of them.
#[derive(Default)]
struct Gate {
    inner: MemoryMedia,
    came: Mutex<Vec<u16>>,
    stops_at: AtomicU16,
    stopped: Notify,
    begun: AtomicU16,
}

impl MediaBytes for Gate {
    fn read<'a>(&'a self, range: &'a MediumRange) -> Boxed<'a, Result<Bytes, MediaError>> {
        self.inner.read(range)
    }
}

impl MediaStore for Gate {
    fn find<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<Option<Medium>, MediaError>> {
        self.inner.find(id)
    }

    fn put<'a>(&'a self, id: &'a MediaId, bytes: Bytes) -> Boxed<'a, Result<(), MediaError>> {
        self.inner.put(id, bytes)
    }

    fn begin<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<String, MediaError>> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.inner.begin(id)
    }

    fn chunk<'a>(
        &'a self,
        id: &'a MediaId,
        upload: &'a str,
        number: u16,
        bytes: Bytes,
    ) -> Boxed<'a, Result<ChunkTag, MediaError>> {
        Box::pin(async move {
            self.came.lock().unwrap().push(number);
            if self.stops_at.load(Ordering::SeqCst) == number {
                self.stopped.notify_one();
                std::future::pending::<()>().await;
            }
            self.inner.chunk(id, upload, number, bytes).await
        })
    }

    fn complete<'a>(
        &'a self,
        id: &'a MediaId,
        upload: &'a str,
        chunks: &'a [ChunkTag],
    ) -> Boxed<'a, Result<u64, MediaError>> {
        self.inner.complete(id, upload, chunks)
    }

    fn describe<'a>(&'a self, medium: &'a Medium) -> Boxed<'a, Result<(), MediaError>> {
        self.inner.describe(medium)
    }

    fn list<'a>(&'a self, after: Option<&'a MediaId>, limit: usize) -> Boxed<'a, Result<Vec<Kept>, MediaError>> {
        self.inner.list(after, limit)
    }

    fn remove<'a>(&'a self, id: &'a MediaId) -> Boxed<'a, Result<(), MediaError>> {
        self.inner.remove(id)
    }

    fn mark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        self.inner.mark(names)
    }

    fn marks(&self, prefix: String, after: Option<String>, limit: usize) -> Boxed<'_, Result<Vec<String>, MediaError>> {
        self.inner.marks(prefix, after, limit)
    }

    fn unmark(&self, names: Vec<String>) -> Boxed<'_, Result<(), MediaError>> {
        self.inner.unmark(names)
    }
}

async fn serve(media: Arc<dyn MediaStore>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = api(media);
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

fn psn(folder: &Path, base: &str, arguments: &[&str]) -> Command {
    let mut command = program(folder, base);
    command.arg("media").args(arguments);
    command
}

fn program(folder: &Path, base: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psn"));
    command.current_dir(folder).kill_on_drop(true);
    command
        .env_clear()
        .env("PSN_ROOT", folder)
        .env("PSN_URL", base)
        .env("PSN_API_TOKEN", TOKEN);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn run(folder: &Path, base: &str, arguments: &[&str]) -> Output {
    psn(folder, base, arguments).output().await.unwrap()
}

fn document(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Files that the program keeps between runs.
fn kept(folder: &Path) -> usize {
    std::fs::read_dir(folder.join(".hubs/state")).map_or(0, |entries| entries.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upload_goes_on_at_the_chunk_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let video = mp4(36_000_000);
    std::fs::write(folder.path().join("clip.mp4"), &video).unwrap();
    let gate = Arc::new(Gate::default());
    gate.stops_at.store(3, Ordering::SeqCst);
    let base = serve(Arc::clone(&gate) as Arc<dyn MediaStore>).await;
    let arguments = ["add", "clip.mp4", "--json"];
    let mut child = psn(folder.path(), &base, &arguments).spawn().unwrap();
    gate.stopped.notified().await;
    child.kill().await.unwrap();
    assert_eq!(
        (gate.came.lock().unwrap().clone(), kept(folder.path())),
        (vec![1, 2, 3], 1)
    );
    gate.stops_at.store(0, Ordering::SeqCst);
    let answer = document(&run(folder.path(), &base, &arguments).await);
    assert_eq!(
        answer["items"],
        json!([{
            "id": hash(&video), "kind": "video", "mime": "video/mp4", "bytes": video.len(), "width": 1920,
            "height": 1080, "duration_ms": 12_500, "source": "clip.mp4",
        }])
    );
    assert_eq!(gate.came.lock().unwrap().clone(), [1, 2, 3, 3, 4, 5]);
    assert_eq!((gate.begun.load(Ordering::SeqCst), kept(folder.path())), (1, 0));
    let id = MediaId(hash(&video));
    let range = MediumRange {
        id,
        first: 2 * CHUNK_BYTES,
        length: CHUNK_BYTES,
    };
    let start = usize::try_from(range.first).unwrap();
    assert_eq!(
        gate.read(&range).await.unwrap(),
        &video[start..start + usize::try_from(CHUNK_BYTES).unwrap()]
    );
    // A third run finds it there.
    document(&run(folder.path(), &base, &arguments).await);
    assert_eq!(gate.came.lock().unwrap().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_with_a_post() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.png"), png(10, 10, 500)).unwrap();
    std::fs::write(folder.path().join("two.png"), png(20, 20, 500)).unwrap();
    let store = Arc::new(MemoryMedia::default());
    let base = serve(Arc::clone(&store) as Arc<dyn MediaStore>).await;
    let validate = async |more: &[&str]| {
        let mut command = program(folder.path(), &base);
        command.args(["post", "validate", "--part", "a", "--part", "b", "--json"]);
        command.args(more).output().await.unwrap()
    };
    let said = validate(&[
        "--media",
        "one.png",
        "--media",
        "two.png",
        "--alt",
        "a dot",
        "--media-part",
        "2",
        "--option",
        "x.reply_settings=following",
    ])
    .await;
    let report = document(&said);
    assert_eq!((&report["valid"], &report["errors"]), (&json!(true), &json!([])));
    // Both parts, and one description.
    assert_eq!(report["cost"], json!({"currency": "USD", "amount": 0.035}));
    assert_eq!(store.list(None, 9).await.unwrap().len(), 2);

    let second = hash(&png(20, 20, 500));
    let wrong = validate(&["--media", &second, "--option", "x.reply_settings=nobody"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!(report["errors"][0]["field"], "x", "{report}");
    for (arguments, words) in [
        (
            &["--media", "one.png", "--media", "none.png"][..],
            "`none.png` cannot be added",
        ),
        (
            &["--media", &second, "--alt", "a", "--alt", "b"],
            "`--alt` is given twice for one medium",
        ),
        (
            &["--option", "x.poll=1", "--option", "x.poll.options=[]"],
            "says twice what it is",
        ),
        (&["--alt", "a", "--media", &second], "`--alt` belongs to no medium"),
        (&["--option", "mastodon.a=1"], "`mastodon` is not a platform"),
    ] {
        let refused = validate(arguments).await;
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(2) && said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_the_worker_forgot_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let video = mp4(17_000_000);
    std::fs::write(folder.path().join("clip.mp4"), &video).unwrap();
    let base = serve(Arc::new(MemoryMedia::default())).await;
    let state = folder.path().join(".hubs/state");
    std::fs::create_dir_all(&state).unwrap();
    let progress = json!({ "worker": base, "upload": "17000000.gone", "chunks": [{"number": 1, "etag": "a"}] });
    std::fs::write(
        state.join(format!("upload-{}.json", hash(&video))),
        progress.to_string(),
    )
    .unwrap();
    let output = run(folder.path(), &base, &["add", "clip.mp4"]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", hash(&video)));
    // No terminal reads: no bar.
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "clip.mp4: video (1920×1080, 12.5 s, 17.0 MB)\n"
    );
    assert_eq!(kept(folder.path()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn media_are_listed_shown_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let base = serve(Arc::new(MemoryMedia::default())).await;
    let picture = png(640, 480, 3_000);
    std::fs::write(folder.path().join("a.png"), &picture).unwrap();
    let id = hash(&picture);
    let text = |output: Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(text(run(folder.path(), &base, &["list"]).await), "");
    assert_eq!(
        text(run(folder.path(), &base, &["add", "a.png"]).await),
        format!("{id}\n")
    );
    let list = text(run(folder.path(), &base, &["list"]).await);
    let row: Vec<&str> = list
        .lines()
        .nth(1)
        .unwrap()
        .split("  ")
        .filter(|cell| !cell.is_empty())
        .collect();
    assert_eq!(
        row.iter().map(|cell| cell.trim()).collect::<Vec<_>>(),
        ["image", "640×480, 4 KB", &id]
    );
    let listed = document(&run(folder.path(), &base, &["list", "--json"]).await);
    let shown = document(&run(folder.path(), &base, &["show", &id, "--json"]).await);
    assert_eq!(listed, json!({ "items": [shown], "next_cursor": null }));
    text(run(folder.path(), &base, &["remove", &id]).await);
    assert_eq!(run(folder.path(), &base, &["show", &id]).await.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_names_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("folder")).unwrap();
    std::fs::write(path.join("empty.png"), []).unwrap();
    std::fs::write(path.join("page.png"), "<html>").unwrap();
    std::fs::write(path.join("cut.mp4"), &mp4(100_000)[..50_000]).unwrap();
    std::fs::write(path.join("fine.png"), png(1, 1, 0)).unwrap();
    // As large as it says, and hardly anything on the disk.
    std::fs::File::create(path.join("large.mp4"))
        .unwrap()
        .set_len(5_000_000_000)
        .unwrap();
    let base = serve(Arc::new(NoMedia)).await;
    let id = "a".repeat(64);
    let mut said = Vec::new();
    for arguments in [
        vec!["add", "none.png"],
        vec!["add", "folder"],
        vec!["add", "empty.png"],
        vec!["add", "page.png"],
        vec!["add", "cut.mp4"],
        vec!["add", "large.mp4"],
        // Nothing is sent when one of them is wrong.
        vec!["add", "fine.png", "page.png"],
        vec!["add", "fine.png"],
        vec!["add", "http://example.com/a.png"],
        vec!["list"],
        vec!["show", &id],
        vec!["remove", "x"],
    ] {
        let output = run(path, &base, &arguments).await;
        let stderr = String::from_utf8_lossy(&output.stderr).replace(&base, "BASE");
        assert!(output.stdout.is_empty());
        said.push(format!(
            "$ psn media {}\n{stderr}exit {}",
            arguments.join(" "),
            output.status.code().unwrap()
        ));
    }
    insta::assert_snapshot!("mistakes", said.join("\n\n"));
}
