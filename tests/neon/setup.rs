//! What the tests share: server, endpoint, HTTP, and servers that stand in for a broken database.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use psn::dev::neon::{NeonEndpoint, NeonOptions};
use psn::dev::postgres::{Postgres, PostgresOptions, Version, package_dir};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The npm package with the server.
pub fn package() -> PathBuf {
    package_dir(Path::new(env!("CARGO_MANIFEST_DIR")), Version::V15).unwrap()
}

/// A server whose data ends with it.
pub async fn server() -> Postgres {
    Postgres::start(PostgresOptions::temporary(package()))
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

/// An endpoint in front of this port.
pub async fn endpoint(postgres_port: u16) -> NeonEndpoint {
    NeonEndpoint::start(NeonOptions::local(postgres_port)).await.unwrap()
}

/// Waits for something that happens in the background.
pub async fn eventually(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done().await {
        assert!(Instant::now() < deadline, "waited 20 s in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until no connection of the endpoint is in use or being reset.
pub async fn settled(endpoint: &NeonEndpoint) {
    eventually("connections are reset", async || {
        let stats = endpoint.stats();
        stats.open_connections == stats.idle_connections
    })
    .await;
}

/// Asks the endpoint with the official client's headers.
pub async fn ask(url: &str, connection_string: &str, body: &Value) -> reqwest::Result<(u16, Value)> {
    let response = reqwest::Client::new()
        .post(url)
        .header("Neon-Connection-String", connection_string)
        .header("Neon-Raw-Text-Output", "true")
        .header("Neon-Array-Mode", "true")
        .body(body.to_string())
        .send()
        .await?;
    let status = response.status().as_u16();
    Ok((status, serde_json::from_str(&response.text().await?).unwrap()))
}

/// A server that takes connections, reads the login and answers with these bytes or nothing.
pub async fn deaf_server(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0_u8; 1024]).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    port
}

/// When a relay cuts.
#[derive(Clone, Copy)]
pub enum Cut {
    /// Before the text reaches the server.
    Before(&'static [u8]),
    /// When the server has answered the text.
    After(&'static [u8]),
}

/// A relay to `to` that cuts a connection at a text.
pub async fn cutting_relay(to: u16, cut: Cut) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay(client, to, cut));
        }
    });
    port
}

async fn relay(mut client: TcpStream, to: u16, cut: Cut) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
    let (mut up, mut down) = (vec![0_u8; 65536], vec![0_u8; 65536]);
    let contains = |data: &[u8], text: &[u8]| data.windows(text.len()).any(|window| window == text);
    loop {
        tokio::select! {
            n = client.read(&mut up) => match n? {
                0 => return Ok(()),
                n => match cut {
                    Cut::Before(text) if contains(&up[..n], text) => return Ok(()),
                    Cut::After(text) if contains(&up[..n], text) => {
                        server.write_all(&up[..n]).await?;
                        let _ = server.read(&mut down).await?;
                        return Ok(());
                    }
                    _ => server.write_all(&up[..n]).await?,
                },
            },
            n = server.read(&mut down) => match n? {
                0 => return Ok(()),
                n => client.write_all(&down[..n]).await?,
            },
        }
    }
}
