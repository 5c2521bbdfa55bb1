//! Whom `longwire serve` lets in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longwire::{ClientBuilder, Error, Socket};
use serde_json::json;

use crate::program::{longwire, run};
use crate::service::{Folder, Service, end, eventually, next, request};

const TOKEN: &str = "0123456789abcdef";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The status that refuses a client.
fn status(result: Result<Socket, Error>) -> u16 {
    match result {
        Ok(_) => 101,
        Err(Error::Refused(refusal)) => refusal.status.as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn tokens_and_passwords_let_in_to_sockets_and_files_alike() {
    let folder = Folder::new("auth");
    let tokens = folder.write("tokens", &format!("# of whom\nann:{TOKEN}\n"));
    let passwords = folder.write("passwords", "bob:pass:word\n");
    folder.write("public/a.txt", "text");
    let service = Service::start(&[
        "--auth",
        &format!("token:{tokens}"),
        "--auth",
        &format!("basic:{passwords}"),
        "--static",
        folder.path().join("public").to_str().unwrap(),
        "--exec",
        "/who=echo \"$REMOTE_USER $AUTH_TYPE\"; cat",
    ]);
    let url = service.url("/who");
    for (client, user) in [
        (
            ClientBuilder::new().bearer_token(TOKEN).unwrap(),
            Some("ann Bearer"),
        ),
        (
            ClientBuilder::new()
                .bearer_token("0123456789abcdeF")
                .unwrap(),
            None,
        ),
        (
            ClientBuilder::new().basic_auth("bob", "pass:word").unwrap(),
            Some("bob Basic"),
        ),
        (
            ClientBuilder::new().basic_auth("bob", "pass").unwrap(),
            None,
        ),
        (ClientBuilder::new().basic_auth("ann", TOKEN).unwrap(), None),
        (ClientBuilder::new(), None),
    ] {
        match (client.connect(&url).await, user) {
            (Ok(mut socket), Some(user)) => {
                assert_eq!(next(&mut socket).await.as_text(), Some(user));
            }
            (result, user) => assert_eq!((status(result), user), (401, None)),
        }
    }
    // Not by what only some are to be asked for.
    for url in [
        format!("{url}?token={TOKEN}"),
        format!("{url}?access_token={TOKEN}"),
    ] {
        assert_eq!(status(longwire::connect(url).await), 401);
    }
    let refused = request(&service.address, "/a.txt", "");
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    for challenge in [
        "www-authenticate: Bearer realm=",
        "www-authenticate: Basic realm=",
    ] {
        assert!(refused.contains(challenge), "{refused}");
    }
    let credentials = STANDARD.encode("bob:pass:word");
    let file = request(
        &service.address,
        "/a.txt",
        &format!("Authorization: Basic {credentials}\r\n"),
    );
    assert!(file.ends_with("text"), "{file}");
}

#[tokio::test]
async fn a_token_in_a_cookie_or_in_the_url_is_taken_where_asked_for_and_told_to_nobody() {
    let options = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--auth",
        "token:env:TOKENS",
        "--auth-cookie",
        "session",
        "--auth-query",
        "token",
        "--exec",
        "echo \"$QUERY_STRING|$REQUEST_URI|$HTTP_COOKIE|$TOKENS\"",
    ];
    let service = Service::run(longwire(&options).env("TOKENS", TOKEN));
    let cookies = format!("a=1; session={TOKEN}; b=2");
    let client = ClientBuilder::new().header("Cookie", &cookies);
    let mut socket = client.connect(&service.url("/x?c=3")).await.unwrap();
    assert_eq!(
        next(&mut socket).await.as_text(),
        Some("c=3|/x?c=3|a=1; b=2|")
    );
    let url = service.url(&format!("/x?c=3&token={TOKEN}"));
    let mut socket = longwire::connect(&url).await.unwrap();
    assert_eq!(next(&mut socket).await.as_text(), Some("c=3|/x?c=3||"));
    let wrong = ClientBuilder::new().header("Cookie", "session=no; token=no");
    assert_eq!(
        status(wrong.connect(&service.url("/x?session=no")).await),
        401
    );
    // A header that is wrong is not made good by a cookie.
    let both = ClientBuilder::new()
        .header("Cookie", &cookies)
        .bearer_token("no")
        .unwrap();
    assert_eq!(status(both.connect(&service.url("/x")).await), 401);
}

#[tokio::test]
async fn a_json_web_token_lets_in_until_it_expires() {
    let folder = Folder::new("jwt");
    let key = folder.write("key", &format!("{SECRET}\n"));
    let auth = format!("jwt:{key}");
    let state = folder.path().join("state");
    let service = Service::start(&[
        "--auth",
        &auth,
        "--jwt-issuer",
        "us",
        "--exec",
        "echo $REMOTE_USER; cat",
        "--exec",
        &format!(
            "/state=trap 'echo saved > {}; exit' TERM; echo here; while :; do sleep 0.1; done",
            state.display()
        ),
        "--exec-grace",
        "500ms",
        "--page",
        "/status/",
        "--view",
        "users",
    ]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let token = |expires: u64, issuer: &str| {
        let claims = json!({"sub": "ann", "exp": expires, "iss": issuer});
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key);
        ClientBuilder::new().bearer_token(&token.unwrap()).unwrap()
    };
    let url = service.url("/");
    assert_eq!(status(token(now + 60, "them").connect(&url).await), 401);
    assert_eq!(status(token(now - 60, "us").connect(&url).await), 401);
    // Clocks may differ by 30 s: of those, eight are left, which is enough to connect.
    let ann = token(now - 22, "us");
    let mut socket = ann.connect(&url).await.unwrap();
    assert_eq!(next(&mut socket).await.as_text(), Some("ann"));
    let mut keeping = ann.connect(&service.url("/state")).await.unwrap();
    assert_eq!(next(&mut keeping).await.as_text(), Some("here"));
    let mut view = ann
        .connect(&service.url("/status/connections"))
        .await
        .unwrap();
    for socket in [&mut socket, &mut keeping, &mut view] {
        let (code, reason) = end(socket).await;
        assert_eq!(
            (code, reason.as_str()),
            (1008, "the credentials have expired")
        );
    }
    // The command had its time.
    eventually("its state is saved", || state.exists());
}

#[tokio::test]
async fn only_clients_of_the_ca_come_in_where_the_servers_certificate_is_self_signed_too() {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let folder = Folder::new("client-ca");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let file = folder.write("ca.pem", &ca.pem());
    let key = KeyPair::generate().unwrap();
    let ours = CertificateParams::new(vec!["ann".to_owned()]).unwrap();
    let ours = ours.signed_by(&key, &ca).unwrap();
    let service = Service::start(&["--echo", "--tls-self-signed", "--tls-client-ca", &file]);
    let url = service.url("/").replace("ws:", "wss:");
    let tls = longwire::ClientTls::new().danger_accept_invalid_certs(true);
    let nobody = ClientBuilder::new().tls(tls.clone()).connect(&url).await;
    assert!(nobody.is_err());
    let (chain, key) = (ours.pem(), key.serialize_pem());
    let tls = tls.client_certificate_pem(chain.as_bytes(), key.as_bytes());
    let ann = ClientBuilder::new().tls(tls.unwrap());
    assert_eq!(status(ann.connect(&url).await), 101);

    let nowhere = ["serve", "--check-config", "--tls-client-ca", "/nowhere/ca"];
    for further in [&[][..], &["--tls-self-signed"]] {
        let output = run(&[&nowhere, further].concat(), b"");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_name_of_somebody_elses_that_leads_here_leads_to_nothing() {
    let folder = Folder::new("rebound");
    folder.write("public/a.txt", "text");
    let public = folder.path().join("public");
    let options = [
        "--exec",
        "/run=echo ran",
        "--echo",
        "/echo",
        "--static",
        public.to_str().unwrap(),
        "--page",
        "/status/",
        "--metrics",
        "127.0.0.1:0",
    ];
    let service = Service::start(&options);
    let metrics = service.said("/metrics");
    let metrics = metrics.split_once("http://").unwrap().1;
    let metrics = metrics.split('/').next().unwrap();
    let port = service.address.rsplit_once(':').unwrap().1;
    let evil = format!("evil.example:{port}");
    let asks = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let asked = |address: &str, path: &str, host: &str| {
        let is_socket = ["/run", "/echo", "/status/connections"].contains(&path);
        let (connection, fields) = if is_socket {
            ("Upgrade", format!("Origin: http://{host}\r\n{asks}"))
        } else {
            ("close", String::new())
        };
        crate::service::head(
            address,
            &format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\n{fields}\r\n"
            ),
        )
    };
    for (address, path, status) in [
        (service.address.as_str(), "/run", 101),
        (&service.address, "/echo", 101),
        (&service.address, "/a.txt", 200),
        (&service.address, "/status/", 200),
        (metrics, "/metrics", 200),
        (metrics, "/healthz", 200),
    ] {
        let ours = asked(address, path, &format!("localhost:{port}"));
        assert!(ours.starts_with(&format!("HTTP/1.1 {status}")), "{ours}");
        let theirs = asked(address, path, &evil);
        assert!(theirs.starts_with("HTTP/1.1 421"), "{path}: {theirs}");
    }
    let theirs = asked(&service.address, "/status/connections", &evil);
    assert!(theirs.starts_with("HTTP/1.1 421"), "{theirs}");

    let named = Service::start(&["--exec", "/run=echo ran", "--host", "evil.example"]);
    let answer = asked(&named.address, "/run", "evil.example");
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
}

#[test]
fn what_is_wrong_with_secrets_is_told_without_telling_them() {
    let folder = Folder::new("secrets");
    let short = folder.write("short", "ann:secret");
    for (auth, told) in [
        (
            format!("token:{short}"),
            "line 1: expected a token of 16 characters",
        ),
        (format!("jwt:{short}"), "32 bytes"),
        (
            "basic:/nowhere/users".to_owned(),
            "could not read /nowhere/users",
        ),
        (
            "token:env:LONGWIRE_NO_SUCH".to_owned(),
            "in the variable LONGWIRE_NO_SUCH",
        ),
    ] {
        let output = run(&["serve", "--auth", &auth], b"");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains(told) && !stderr.contains("secret\""),
            "{stderr}"
        );
    }
    let output = run(&["serve", "--auth-cookie", "a"], b"");
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("expected --auth")
    );
    let output = run(&["serve", "--auth", "hunter2"], b"");
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn origins_are_allowed_by_either_name() {
    for option in ["--origin", "--allow-origin"] {
        let service = Service::start(&["--echo", option, "https://app.example"]);
        let from = |origin: &str| ClientBuilder::new().origin(origin);
        let url = service.url("/");
        assert_eq!(status(from("https://app.example").connect(&url).await), 101);
        assert_eq!(
            status(from("https://evil.example").connect(&url).await),
            403
        );
        let own = format!("http://{}", service.address);
        assert_eq!(status(from(&own).connect(&url).await), 101);
    }
}
