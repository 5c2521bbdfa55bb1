//! Debian's nginx in front of `longwire serve`, TLS outside and HTTP/1.1 inside, as
//! docs/nginx.md configures it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::browser::play_with;
use crate::program::{Serve, run};

/// The documentation, whose configuration is what is tested.
const DOCS: &str = include_str!("../../../../docs/nginx.md");

/// nginx on a Unix socket, stopped with the test.
struct Nginx {
    child: Child,
    folder: PathBuf,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The n-th block of nginx's configuration in the documentation.
fn block(n: usize) -> &'static str {
    let block = DOCS.split("```nginx\n").nth(n).expect("a block");
    block.split("```").next().unwrap()
}

impl Nginx {
    /// Starts nginx with what the documentation says for this server, its port
    /// and its certificate replaced by ours.
    fn start(test: &str, serve: &Serve) -> Option<Self> {
        if Command::new("nginx")
            .arg("-v")
            .stderr(Stdio::null())
            .status()
            .is_err()
        {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "this test needs nginx"
            );
            println!("skipped: this test needs nginx");
            return None;
        }
        let folder =
            std::env::temp_dir().join(format!("longwire-nginx-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["example.test".to_owned()]).unwrap();
        fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let here = folder.display();
        let servers = [block(1), block(2)]
            .concat()
            .replace("127.0.0.1:8000", &serve.address)
            .replace(
                "listen 443 ssl",
                &format!("listen unix:{here}/tls.sock ssl"),
            )
            .replace("/etc/ssl/example.com.pem", &format!("{here}/cert.pem"))
            .replace("/etc/ssl/example.com.key", &format!("{here}/key.pem"))
            .replace("example.com", "example.test");
        let config = format!(
            "daemon off;\nmaster_process off;\npid {here}/pid;\nerror_log {here}/error.log;\n\
             events {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {here}/body;\n\
             proxy_temp_path {here}/proxy;\nfastcgi_temp_path {here}/fastcgi;\n\
             uwsgi_temp_path {here}/uwsgi;\nscgi_temp_path {here}/scgi;\n{servers}}}\n"
        );
        fs::write(folder.join("nginx.conf"), config).unwrap();
        let child = Command::new("nginx")
            .args([
                "-p".as_ref(),
                folder.as_os_str(),
                "-c".as_ref(),
                folder.join("nginx.conf").as_os_str(),
            ])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { child, folder };
        nginx.wait_for_socket();
        Some(nginx)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("tls.sock")
    }

    /// nginx has no other way to tell that it listens.
    fn wait_for_socket(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            let log = fs::read_to_string(self.folder.join("error.log")).unwrap_or_default();
            assert!(Instant::now() < until, "nginx does not listen: {log}");
            std::thread::yield_now();
        }
    }
}

fn connect(socket: &Path, arguments: &[&str], stdin: &[u8]) -> (Option<i32>, String, String) {
    let path = socket.to_str().unwrap();
    let mut all = vec![
        "connect",
        "--insecure",
        "--unix-socket",
        path,
        "--wait",
        "0.5",
    ];
    all.extend(arguments);
    let output = run(&all, stdin);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn sockets_go_through_nginx_as_the_documentation_configures_it() {
    let serve = Serve::with(&[
        "--host",
        "ws.example.test",
        "--allow-origin",
        "https://example.test",
    ]);
    let Some(nginx) = Nginx::start("sockets", &serve) else {
        return;
    };
    let lines: Vec<String> = (0..500)
        .map(|i| format!("{i} {}\n", "long ".repeat(i)))
        .collect();
    let lines = lines.concat();
    let (code, out, err) = connect(
        &nginx.socket(),
        &["wss://example.test/echo"],
        lines.as_bytes(),
    );
    assert_eq!((code, out == lines), (Some(0), true), "{err}");

    // The subdomain beside the site: pages of the site may, others may not.
    let own = [
        "--origin",
        "https://example.test",
        "wss://ws.example.test/echo",
    ];
    let (code, out, err) = connect(&nginx.socket(), &own, b"hello\n");
    assert_eq!((code, out.as_str()), (Some(0), "hello\n"), "{err}");
    let evil = [
        "--origin",
        "https://evil.test",
        "wss://ws.example.test/echo",
    ];
    let (code, _, err) = connect(&nginx.socket(), &evil, b"");
    assert_eq!(code, Some(4), "{err}");
    assert!(err.contains("403"), "{err}");
}

#[test]
fn the_page_and_its_socket_work_behind_nginx() {
    let mut nginx = None;
    let start = |serve: &Serve| match Nginx::start("page", serve) {
        Some(started) => {
            let path = started.socket().display().to_string();
            nginx = Some(started);
            path
        }
        None => String::new(),
    };
    if Command::new("nginx")
        .arg("-v")
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        // Says that it is skipped, or fails.
        Nginx::start("page", &Serve::start());
        return;
    }
    play_with("behind-nginx", &["--host", "example.test"], start);
}
