//! `App::serve`, over TCP.

use inngest::{App, Config, Event, Result, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Any, FakeApi, client, dev};

async fn idle(_: Event<Any>, _: Step<'_>) -> Result<()> {
    Ok(())
}

fn app() -> App {
    App::new("app", client(dev(), FakeApi::default())).function(Config::id("idle").run(idle))
}

async fn get(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /api/inngest HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn an_app_serves_itself_where_inngest_looks_for_it() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let serving = tokio::spawn(app().serve(free));
    let answer = loop {
        match get(free.port()).await {
            Ok(answer) => break answer,
            Err(_) if !serving.is_finished() => tokio::task::yield_now().await,
            Err(error) => panic!("it does not serve: {error}, {:?}", serving.await),
        }
    };
    assert!(answer.contains(r#""function_count":1"#), "{answer}");
    assert!(answer.contains("x-inngest-framework: axum"), "{answer}");
    serving.abort();
}

#[tokio::test]
async fn mistakes_and_a_port_in_use_are_reported_before_anything_is_served() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = app().serve(taken.local_addr().unwrap()).await.unwrap_err().to_string();
    assert!(error.starts_with("the app cannot listen: "), "{error}");
    assert!(error.ends_with("stop what uses the port, or choose another"), "{error}");
    let bad = app().function(Config::id("no id").run(idle)).serve("127.0.0.1:0").await;
    let text = "function id `no id`: only letters, digits, `-`, `_` and `.` are allowed";
    assert_eq!(bad.unwrap_err().to_string(), text);
}
