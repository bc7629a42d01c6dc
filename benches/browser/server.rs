//! Serves the page, the peers and the benchmark's own pages from one address, packed by gzip as a web server
//! would send them, and if wanted as slowly as a telephone would get them.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::{self, Next};
use axum::response::Response;
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, sleep_until};
use tower_http::services::ServeDir;

/// Bytes that go out together on a slow line.
const PACKET: usize = 4096;

/// What lies between a server and a visitor.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// From a question to the first byte of its answer.
    pub round_trip: Duration,
    /// Of all answers together.
    pub bytes_a_second: f64,
}

/// Serves until it is dropped.
pub struct Server {
    folder: tempfile::TempDir,
    origin: String,
    sent: Arc<AtomicU64>,
    line: Arc<RwLock<Option<Line>>>,
    _runtime: Runtime,
}

impl Server {
    pub fn start() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let sent = Arc::new(AtomicU64::new(0));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let origin = format!("http://localhost:{}", listener.local_addr()?.port());
        let (counter, line) = (sent.clone(), Arc::<RwLock<Option<Line>>>::default());
        let (current, busy) = (line.clone(), Arc::new(Mutex::new(Instant::now())));
        let router = Router::new().fallback_service(ServeDir::new(folder.path()).precompressed_gzip());
        let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let (counter, busy) = (counter.clone(), busy.clone());
            let line = *current.read().expect("nobody panics with it");
            async move {
                let response = next.run(request).await;
                let length = response.headers().get(CONTENT_LENGTH);
                let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
                counter.fetch_add(length.unwrap_or(0), Ordering::Relaxed);
                match line {
                    None => response,
                    Some(line) => slowly(response, line, busy).await,
                }
            }
        }));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { folder, origin, sent, line, _runtime: runtime })
    }

    /// What lies between this server and its visitors from now on; nothing at first.
    pub fn set_line(&self, line: Option<Line>) {
        *self.line.write().expect("nobody panics with it") = line;
    }

    /// Copies a file, or a folder with all that is in it, to below `address`.
    pub fn publish(&self, from: &Path, address: &str) -> std::io::Result<()> {
        if from.is_dir() {
            for entry in std::fs::read_dir(from)? {
                let entry = entry?;
                self.publish(&entry.path(), &format!("{address}/{}", entry.file_name().to_string_lossy()))?;
            }
            return Ok(());
        }
        self.publish_bytes(&std::fs::read(from)?, address)
    }

    pub fn publish_bytes(&self, bytes: &[u8], address: &str) -> std::io::Result<()> {
        let path = self.folder.path().join(address);
        std::fs::create_dir_all(path.parent().unwrap_or(self.folder.path()))?;
        std::fs::write(&path, bytes)?;
        // Pictures are packed as they are.
        if !matches!(path.extension().and_then(|e| e.to_str()), Some("jpg" | "png")) {
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(bytes)?;
            std::fs::write(self.folder.path().join(format!("{address}.gz")), packed.finish()?)?;
        }
        Ok(())
    }

    /// The whole address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.origin)
    }

    /// Bytes of all bodies sent so far, as they were sent.
    ///
    /// Counted here because the browser reports no size for a worker's first script.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// The response as it comes over a line that others' packets use as well: `busy` until then.
async fn slowly(response: Response, line: Line, busy: Arc<Mutex<Instant>>) -> Response {
    sleep(line.round_trip).await;
    let (head, body) = response.into_parts();
    // Files from this machine's disk.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let packets = stream::unfold(body, move |mut rest| {
        let busy = busy.clone();
        async move {
            if rest.is_empty() {
                return None;
            }
            let packet = rest.split_to(rest.len().min(PACKET));
            let duration = Duration::from_secs_f64(packet.len() as f64 / line.bytes_a_second);
            let sent = {
                let mut busy = busy.lock().expect("nobody panics with it");
                *busy = (*busy).max(Instant::now()) + duration;
                *busy
            };
            sleep_until(sent).await;
            Some((Ok::<Bytes, std::convert::Infallible>(packet), rest))
        }
    });
    Response::from_parts(head, Body::from_stream(packets))
}
