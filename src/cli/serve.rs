//! `mien serve`: the built page on an address of this machine, or of its network.
//!
//! Browsers open the camera, and run service workers, only for `https:` pages and for `localhost`, so the
//! page cannot be tried from a `file:` address. Nothing but GET and HEAD of files below one folder is served;
//! what links in it lead to counts as being there.

mod secure;

use std::io::{ErrorKind, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum_server::Server;
use axum_server::tls_rustls::RustlsAcceptor;
use tower_http::services::{ServeDir, ServeFile};
use tower_http::set_header::SetResponseHeaderLayer;

use super::output;
use secure::Certificate;

/// Bytes of a file's name, on all systems that have a limit.
const LONGEST_NAME: usize = 255;

/// For so long a client may say nothing, or be in the middle of a handshake or of a request's head. Browsers
/// connect ahead, and connect again where that was too long ago.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serve the page from a folder, on this machine only unless --https or --host says otherwise
///
/// With --https also other devices can open it, camera and all: a phone in the same network, for one. The certificate
/// is made at the start, and kept nowhere; nobody vouches for it, so the browser warns.
#[derive(clap::Args, Debug)]
pub struct ServeArgs {
    /// The folder with the page, as `./build.sh dist` makes it
    #[arg(default_value = "dist")]
    pub dir: PathBuf,

    /// Port to listen on; 0 takes any free one
    #[arg(long, default_value_t = 8000)]
    pub port: u16,

    /// Address to listen on [default: 127.0.0.1, and with --https 0.0.0.0, which is every network of this machine]
    #[arg(long, value_parser = address)]
    pub host: Option<IpAddr>,

    /// Serve over https to the network, with a certificate made on the spot
    #[arg(long)]
    pub https: bool,

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
    let everywhere = if args.https { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    let listener = listen(SocketAddr::new(args.host.unwrap_or(everywhere.into()), args.port))?;
    let address = listener.local_addr()?;
    let certificate =
        args.https.then(|| Certificate::for_addresses(&secure::reachable(address.ip()))).transpose()?;
    println!("Serving {} on {}", dir.display(), url(address, args.https));
    match &certificate {
        Some(certificate) => tell_others(address, certificate)?,
        None if !address.ip().is_loopback() => {
            println!("Note: from another machine, browsers allow the camera only over https: add --https.");
        }
        None => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Files have no state to lose, so Ctrl-C may cut what is being sent.
        tokio::select! {
            ended = serve(listener, router(dir, args.log), certificate.as_ref(), PATIENCE) => ended.context("the server stopped"),
            interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for Ctrl-C"),
        }
    })
}

/// What to type into a phone, and what it will say.
fn tell_others(address: SocketAddr, certificate: &Certificate) -> anyhow::Result<()> {
    let addresses = secure::reachable(address.ip());
    let urls: Vec<_> = addresses.iter().map(|ip| url(SocketAddr::new(*ip, address.port()), true)).collect();
    match urls.first() {
        Some(first) => {
            println!("From another device of this network: {}", urls.join("  or  "));
            if std::io::stdout().is_terminal() {
                print!("{}", secure::picture_of(first)?);
            }
        }
        None if address.ip().is_loopback() => {
            println!("No other device can open it, since it listens on {} alone.", address.ip())
        }
        None => output::remark(
            "this machine has no address in a network, so no other device can open the page; connect it to one and start anew",
        ),
    }
    println!(
        "The browser will warn that nobody vouches for the certificate, which was made just now. Go on: in Chrome and Edge \
         by \u{201c}Advanced\u{201d}, in Safari by \u{201c}Show Details\u{201d}, in Firefox by \u{201c}Advanced\u{2026}\u{201d}. Whoever wants to be sure to speak with \
         this machine compares its SHA-256 fingerprint:\n{}",
        certificate.fingerprint()
    );
    Ok(())
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        let (ip, port) = (address.ip(), address.port());
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
            ErrorKind::AddrNotAvailable => anyhow::anyhow!(
                "{ip} is no address of this machine. Take one of its own, or 0.0.0.0 for all of them: --host 0.0.0.0"
            ),
            _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
        }
    })
}

/// Answers whoever connects, over TLS where there is a certificate. Who sends nothing, or a request's head too
/// slowly, is cut off after `patience`.
async fn serve(
    listener: TcpListener,
    router: Router,
    certificate: Option<&Certificate>,
    patience: Duration,
) -> anyhow::Result<()> {
    let server = hurried(axum_server::from_tcp(listener)?, patience);
    let service = router.into_make_service();
    match certificate {
        Some(certificate) => {
            let acceptor = RustlsAcceptor::new(certificate.server().await?).handshake_timeout(patience);
            server.acceptor(acceptor).serve(service).await?;
        }
        None => server.serve(service).await?,
    }
    Ok(())
}

fn hurried(server: Server<SocketAddr>, patience: Duration) -> Server<SocketAddr> {
    let mut server = server.first_request_timeout(patience);
    server.http_builder().http1().header_read_timeout(patience);
    server.http_builder().http2().keep_alive_interval(patience).keep_alive_timeout(patience);
    server
}

/// What to type into the browser. `localhost` rather than 127.0.0.1, for people read it.
fn url(address: SocketAddr, secure: bool) -> String {
    let (scheme, ip) = (if secure { "https" } else { "http" }, address.ip());
    // On an address that stands for all of them, a browser finds nobody.
    if ip == IpAddr::V4(Ipv4Addr::LOCALHOST) || ip.is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
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
    use std::net::TcpStream;

    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    /// The head of the answer to a GET, in lower case.
    fn get(dir: &Path, path: &str) -> String {
        answer(dir, path)[0].to_lowercase()
    }

    fn body(dir: &Path, path: &str) -> String {
        answer(dir, path)[1].clone()
    }

    /// A server with a page for the test's time: its address.
    fn start(
        dir: &Path,
        certificate: Option<Certificate>,
        patience: Duration,
    ) -> (SocketAddr, tokio::runtime::Runtime) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (address, app) = (listener.local_addr().unwrap(), router(dir, false));
        runtime.spawn(async move { serve(listener, app, certificate.as_ref(), patience).await });
        (address, runtime)
    }

    fn ask(mut stream: impl Read + Write, path: &str) -> [String; 2] {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        [head.into(), body.into()]
    }

    fn answer(dir: &Path, path: &str) -> [String; 2] {
        let (address, _runtime) = start(dir, None, PATIENCE);
        ask(TcpStream::connect(address).unwrap(), path)
    }

    /// A connection over TLS by a client that trusts this certificate alone.
    fn connect(address: SocketAddr, trusted: &[u8], name: &str) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(trusted.to_vec())).unwrap();
        let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let client = ClientConnection::new(config.into(), name).unwrap();
        StreamOwned::new(client, TcpStream::connect(address).unwrap())
    }

    #[test]
    fn a_page_comes_over_tls_to_whoever_trusts_the_certificate() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.html"), "the page").unwrap();
        let make = || Certificate::for_addresses(&[Ipv4Addr::new(203, 0, 113, 7).into()]).unwrap();
        let (certificate, other) = (make(), make());
        let trusted = certificate.certificate.clone();
        let (address, _runtime) = start(dir.path(), Some(certificate), PATIENCE);
        // By its name, and by an address that it was made for.
        for name in ["localhost", "203.0.113.7"] {
            let [head, body] = ask(connect(address, &trusted, name), "/");
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            assert_eq!(body, "the page");
        }
        for (trusted, name) in [(&trusted, "203.0.113.8"), (&other.certificate, "localhost")] {
            let error = connect(address, trusted, name).write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
            assert!(error.to_string().contains("invalid peer certificate"), "{error}");
        }
    }

    /// One that says nothing, one that begins a request and stops, one that leaves off after an answer; with TLS
    /// and without.
    #[test]
    fn whoever_is_too_slow_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.html"), "the page").unwrap();
        let patience = Duration::from_millis(300);
        // A read comes to its end because the other side has closed, long before the client loses patience.
        let ends = |stream: &TcpStream| stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let is_cut = |result: std::io::Result<usize>| match result {
            Ok(bytes) => bytes == 0,
            Err(error) => [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof].contains(&error.kind()),
        };
        let whole = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        for sent in ["", "G", &whole[..20]] {
            let (address, _runtime) = start(dir.path(), None, patience);
            let mut stream = TcpStream::connect(address).unwrap();
            ends(&stream);
            stream.write_all(sent.as_bytes()).unwrap();
            let mut said = Vec::new();
            let result = stream.read_to_end(&mut said);
            assert!(result.is_ok() || is_cut(result), "{sent:?} is still connected");
            assert!(!said.starts_with(b"HTTP/1.1 200"), "{sent:?}");

            let certificate = Certificate::for_addresses(&[]).unwrap();
            let trusted = certificate.certificate.clone();
            let (address, _runtime) = start(dir.path(), Some(certificate), patience);
            // Before the handshake, and after it.
            let mut stream = TcpStream::connect(address).unwrap();
            ends(&stream);
            assert!(is_cut(stream.read(&mut [0; 64])), "one without a handshake is still connected");
            let mut stream = connect(address, &trusted, "localhost");
            ends(&stream.sock);
            stream.write_all(sent.as_bytes()).unwrap();
            stream.flush().unwrap();
            while stream.conn.is_handshaking() {
                stream.conn.complete_io(&mut stream.sock).unwrap();
            }
            let mut said = Vec::new();
            let result = stream.read_to_end(&mut said);
            assert!(result.is_ok() || is_cut(result), "{sent:?} over TLS is still connected");
        }
        // And a whole one is answered, by the same server.
        let (address, _runtime) = start(dir.path(), None, patience);
        assert_eq!(ask(TcpStream::connect(address).unwrap(), "/")[1], "the page");
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
        let args = |port| ServeArgs {
            dir: dir.path().into(),
            port,
            host: Some(Ipv4Addr::LOCALHOST.into()),
            https: false,
            log: false,
        };
        let error = run(args(0)).unwrap_err().to_string();
        assert!(error.contains("./build.sh dist"), "{error}");

        std::fs::write(dir.path().join("index.html"), "").unwrap();
        let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let error = run(args(taken.local_addr().unwrap().port())).unwrap_err().to_string();
        assert!(error.contains("in use") && error.contains("--port"), "{error}");

        let elsewhere = ServeArgs { host: Some(Ipv4Addr::new(203, 0, 113, 7).into()), ..args(0) };
        let error = run(elsewhere).unwrap_err().to_string();
        assert!(error.contains("203.0.113.7 is no address of this machine"), "{error}");
    }
}
