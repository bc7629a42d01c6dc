//! Serves the page, the peers and the benchmark's own pages from one address, packed by gzip as a web server would send them.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::{self, Next};
use flate2::{Compression, write::GzEncoder};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower_http::services::ServeDir;

/// Serves until it is dropped.
pub struct Server {
    folder: tempfile::TempDir,
    origin: String,
    sent: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl Server {
    pub fn start() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let sent = Arc::new(AtomicU64::new(0));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let origin = format!("http://localhost:{}", listener.local_addr()?.port());
        let counter = sent.clone();
        let router = Router::new().fallback_service(ServeDir::new(folder.path()).precompressed_gzip());
        let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let counter = counter.clone();
            async move {
                let response = next.run(request).await;
                let length = response.headers().get(CONTENT_LENGTH);
                let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
                counter.fetch_add(length.unwrap_or(0), Ordering::Relaxed);
                response
            }
        }));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { folder, origin, sent, _runtime: runtime })
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
