//! Proxies for tests, written by hand: CONNECT and SOCKS5, each of which counts
//! what it let through.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::read_head;

/// How a proxy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// CONNECT, for whoever has this `Proxy-Authorization`, if it is asked for.
    Connect(Option<&'static str>),
    /// CONNECT, answered with this and nothing else.
    Says(&'static str),
    /// SOCKS5, for whoever has this user name and password, if they are asked
    /// for.
    Socks5(Option<(&'static str, &'static str)>),
    /// SOCKS5, refused with this reply.
    SocksRefuses(u8),
    /// Nothing at all.
    Silent,
}

pub(crate) struct TestProxy {
    pub(crate) addr: SocketAddr,
    tunnels: Arc<AtomicUsize>,
    running: JoinHandle<()>,
}

impl TestProxy {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let tunnels = Arc::new(AtomicUsize::new(0));
        let counted = tunnels.clone();
        let running = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let counted = counted.clone();
                tokio::spawn(async move { serve(stream, manner, &counted).await });
            }
        });
        Self {
            addr,
            tunnels,
            running,
        }
    }

    /// Connections that went through.
    pub(crate) fn tunnels(&self) -> usize {
        self.tunnels.load(Ordering::SeqCst)
    }
}

impl Drop for TestProxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, tunnels: &AtomicUsize) {
    let to = match manner {
        Manner::Connect(authorization) => connect(&mut stream, authorization).await,
        Manner::Says(answer) => {
            read_head(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            None
        }
        Manner::Socks5(user) => socks5(&mut stream, user, 0).await,
        Manner::SocksRefuses(reply) => socks5(&mut stream, None, reply).await,
        Manner::Silent => std::future::pending().await,
    };
    if let Some(mut server) = to {
        tunnels.fetch_add(1, Ordering::SeqCst);
        let _ = copy_bidirectional(&mut stream, &mut server).await;
    }
}

/// A name that ends in `.test` is this machine, as far as a proxy knows.
async fn dial(host: &str) -> Option<TcpStream> {
    let (name, port) = host.rsplit_once(':')?;
    let name = match name.strip_suffix(".test") {
        Some(_) => "127.0.0.1",
        None => name,
    };
    TcpStream::connect(format!("{name}:{port}")).await.ok()
}

async fn connect(stream: &mut TcpStream, authorization: Option<&str>) -> Option<TcpStream> {
    let head = read_head(stream).await;
    let host = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    assert!(head.contains(&format!("\r\nhost: {host}\r\n")), "{head}");
    let given = head
        .lines()
        .find_map(|line| line.strip_prefix("proxy-authorization: "));
    if given != authorization {
        let answer = "HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.ok()?;
        return None;
    }
    let Some(server) = dial(host).await else {
        let answer = "HTTP/1.1 502 Nobody there\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.ok()?;
        return None;
    };
    let answer = "HTTP/1.1 200 There you are\r\n\r\n";
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some(server)
}

async fn socks5(
    stream: &mut TcpStream,
    user: Option<(&str, &str)>,
    refusal: u8,
) -> Option<TcpStream> {
    assert_eq!(stream.read_u8().await.ok()?, 5);
    let mut methods = vec![0; stream.read_u8().await.ok()?.into()];
    stream.read_exact(&mut methods).await.ok()?;
    let method = if user.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        stream.write_all(&[5, 0xff]).await.ok()?;
        return None;
    }
    stream.write_all(&[5, method]).await.ok()?;
    if let Some((name, password)) = user {
        assert_eq!(stream.read_u8().await.ok()?, 1);
        let given = (text(stream).await?, text(stream).await?);
        let good = given == (name.to_owned(), password.to_owned());
        stream.write_all(&[1, u8::from(!good)]).await.ok()?;
        if !good {
            return None;
        }
    }
    let mut start = [0; 4];
    stream.read_exact(&mut start).await.ok()?;
    let host = match start[3] {
        1 => {
            let mut ip = [0; 4];
            stream.read_exact(&mut ip).await.ok()?;
            std::net::Ipv4Addr::from(ip).to_string()
        }
        3 => text(stream).await?,
        _ => return None,
    };
    let port = stream.read_u16().await.ok()?;
    let reply = [5, refusal, 0, 1, 127, 0, 0, 1, 0, 0];
    stream.write_all(&reply).await.ok()?;
    if refusal != 0 {
        return None;
    }
    dial(&format!("{host}:{port}")).await
}

async fn text(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = vec![0; stream.read_u8().await.ok()?.into()];
    stream.read_exact(&mut bytes).await.ok()?;
    String::from_utf8(bytes).ok()
}
