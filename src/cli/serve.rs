//! `mien serve`: the built page on an address of this machine.
//!
//! Browsers open the camera, and run service workers, only for `https:` pages and for `localhost`, so the
//! page cannot be tried from a `file:` address. Nothing but GET and HEAD of files below one folder is served;
//! what links in it lead to counts as being there.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tower_http::services::{ServeDir, ServeFile};
use tower_http::set_header::SetResponseHeaderLayer;

/// Bytes of a file's name, on all systems that have a limit.
const LONGEST_NAME: usize = 255;

/// Serve the page from a folder, on this machine only unless --host says otherwise.
#[derive(clap::Args, Debug)]
pub struct ServeArgs {
    /// The folder with the page, as `./build.sh dist` makes it
    #[arg(default_value = "dist")]
    pub dir: PathBuf,

    /// Port to listen on; 0 takes any free one
    #[arg(long, default_value_t = 8000)]
    pub port: u16,

    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_parser = address)]
    pub host: IpAddr,

    /// Print every request on standard error
    #[arg(long)]
    pub log: bool,
}

/// An address in numbers, or the name that every machine gives itself.
fn address(text: &str) -> Result<IpAddr, std::net::AddrParseError> {
    if text == "localhost" { Ok(Ipv4Addr::LOCALHOST.into()) } else { text.parse() }
}

/// Serves until Ctrl-C. The first line printed ends in the address, also when the port was 0.
pub fn run(args: ServeArgs) -> anyhow::Result<()> {
    let dir = &args.dir;
    if !dir.join("index.html").is_file() {
        bail!("there is no page in {} (no index.html). Build it with: ./build.sh dist", dir.display());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen(SocketAddr::new(args.host, args.port)).await?;
        let address = listener.local_addr()?;
        println!("Serving {} on {}", dir.display(), url(address));
        if !address.ip().is_loopback() {
            println!("Note: from another machine, browsers allow the camera only over https.");
        }
        // Files have no state to lose, so Ctrl-C may cut what is being sent.
        tokio::select! {
            ended = axum::serve(listener, router(dir, args.log)) => ended.context("the server stopped"),
            interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for Ctrl-C"),
        }
    })
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let port = address.port();
        match error.kind() {
            ErrorKind::AddrInUse => anyhow::anyhow!(
                "port {port} is in use. Stop the other program, or choose a port: --port {}",
                port.checked_add(1).unwrap_or(8000)
            ),
            ErrorKind::PermissionDenied => {
                anyhow::anyhow!(
                    "not allowed to listen on port {port}. Choose one above 1023, such as --port 8000"
                )
            }
            _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
        }
    })
}

/// What to type into the browser. `localhost` rather than 127.0.0.1, for people read it.
fn url(address: SocketAddr) -> String {
    if address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

fn router(dir: &Path, log: bool) -> Router {
    // As hosts of static pages answer.
    let nothing = dir.join("404.html");
    let files = ServeDir::new(dir);
    let router = match nothing.is_file() {
        true => Router::new().fallback_service(files.not_found_service(ServeFile::new(nothing))),
        false => Router::new().fallback_service(files),
    };
    let router = router
        // Ask again on every load: a page built a second ago must show.
        .layer(SetResponseHeaderLayer::overriding(CACHE_CONTROL, HeaderValue::from_static("no-cache")))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ));
    let router = router.layer(middleware::from_fn(refuse_long_names));
    if log { router.layer(middleware::from_fn(log_request)) } else { router }
}

/// No file has such a name, which systems call an error of another kind.
async fn refuse_long_names(request: Request, next: Next) -> Response {
    // `%41` is one byte.
    let bytes = |name: &str| name.len() - 2 * name.matches('%').count().min(name.len() / 3);
    if request.uri().path().split('/').any(|name| bytes(name) > LONGEST_NAME) {
        return StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

async fn log_request(request: Request, next: Next) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    let response = next.run(request).await;
    eprintln!("{} {line}", response.status().as_u16());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// The head of the answer to a GET, in lower case.
    fn get(dir: &Path, path: &str) -> String {
        answer(dir, path)[0].to_lowercase()
    }

    fn body(dir: &Path, path: &str) -> String {
        answer(dir, path)[1].clone()
    }

    fn answer(dir: &Path, path: &str) -> [String; 2] {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(listen((Ipv4Addr::LOCALHOST, 0).into())).unwrap();
        let address = listener.local_addr().unwrap();
        let app = router(dir, false);
        runtime.spawn(async move { axum::serve(listener, app).await });
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        [head.into(), body.into()]
    }

    #[test]
    fn files_have_the_types_that_browsers_insist_on() {
        let dir = tempfile::tempdir().unwrap();
        let types = [
            ("index.html", "text/html"),
            ("app.js", "text/javascript"),
            ("mien_cpu_bg.wasm", "application/wasm"),
            ("mien.webmanifest", "application/manifest+json"),
            ("style.css", "text/css"),
        ];
        for (name, mime) in types {
            std::fs::write(dir.path().join(name), "").unwrap();
            let head = get(dir.path(), &format!("/{name}"));
            assert!(head.starts_with("http/1.1 200"), "{name}: {head}");
            assert!(head.contains(&format!("content-type: {mime}")), "{name}: {head}");
            assert!(head.contains("cache-control: no-cache"), "{name}: {head}");
            assert!(head.contains("x-content-type-options: nosniff"), "{name}: {head}");
        }
        assert!(get(dir.path(), "/").contains("text/html"), "the folder itself is its index.html");
        for path in [format!("/{}", "a".repeat(256)), format!("/b/{}.js", "%41".repeat(300))] {
            assert!(get(dir.path(), &path).starts_with("http/1.1 404"), "{path}");
        }
        assert_eq!(body(dir.path(), "/none"), "");
        std::fs::write(dir.path().join("404.html"), "nothing here").unwrap();
        assert!(get(dir.path(), "/none").starts_with("http/1.1 404"));
        assert_eq!(body(dir.path(), "/none/at/all"), "nothing here");
        assert_eq!(super::address("localhost").unwrap(), Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn nothing_outside_the_folder_is_served() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("dist");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(parent.path().join("secret"), "secret").unwrap();
        for path in ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/missing"] {
            assert!(get(&dir, path).starts_with("http/1.1 404"), "{path}");
        }
    }

    #[test]
    fn a_taken_port_and_a_missing_page_are_explained() {
        let dir = tempfile::tempdir().unwrap();
        let args =
            |port| ServeArgs { dir: dir.path().into(), port, host: Ipv4Addr::LOCALHOST.into(), log: false };
        let error = run(args(0)).unwrap_err().to_string();
        assert!(error.contains("./build.sh dist"), "{error}");

        std::fs::write(dir.path().join("index.html"), "").unwrap();
        let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let error = run(args(taken.local_addr().unwrap().port())).unwrap_err().to_string();
        assert!(error.contains("in use") && error.contains("--port"), "{error}");
    }
}
