//! `healthcheck`: what a container asks.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::alone;
use crate::world::{Begin as _, given};

/// A listener that answers each client with `answer`, or with nothing and no end.
async fn answers(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let Some(answer) = answer else {
                silent.push(client);
                continue;
            };
            client.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
            client.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_service_that_is_ready_is_healthy_also_where_it_listens_everywhere_and_asks_for_a_token()
{
    let token = "token-of-the-test-0123";
    let world = given().variable("ADMIN_TOKEN", token).spawned().await;
    let port = world.replicas[0].admin.port();
    for host in ["127.0.0.1", "0.0.0.0", "localhost"] {
        let admin = [("ADMIN_ADDR", format!("{host}:{port}"))];
        let admin = admin.each_ref().map(|(name, value)| (*name, value.as_str()));
        let said = world.command_with(&["healthcheck"], &admin).await;
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "ready\n", ""));
    }
    world.replicas[0].service.kill();
    let admin = format!("127.0.0.1:{port}");
    let said = world.command_with(&["healthcheck"], &[("ADMIN_ADDR", &admin)]).await;
    let told = format!("error: no service answers at {admin} (no connection: ");
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with(&told) && said.err.lines().count() == 1, "{}", said.err);
}

/// It must not matter what else is wrong with the configuration: the service may run with another one.
#[tokio::test]
async fn what_is_wrong_is_said_in_one_line_and_within_a_deadline() {
    let not_ready = "HTTP/1.0 503 Service Unavailable\r\n\r\n\
                     {\"status\":\"not ready\",\"reason\":\"the disk\\nis full\",\"loops\":{\"a\":1}}";
    let not_found = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    for (answer, told) in [
        (Some(not_ready), "not ready: the disk is full"),
        (Some(not_found), "another program answers at"),
        (Some("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), "another program answers at"),
        (None, "does not say whether it is ready: no answer within 5s"),
    ] {
        let admin = answers(answer).await;
        let variables = [("ADMIN_ADDR", admin.as_str()), ("PORT", "none"), ("CRM_API_KEY", "half")];
        let (said, _folder) = alone(&["healthcheck"], &variables).await;
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
        assert!(said.err.contains(told) && said.err.lines().count() == 1, "{}", said.err);
    }
    let (said, _folder) = alone(&["healthcheck"], &[("ADMIN_ADDR", "3001")]).await;
    assert_eq!(said.code, Some(78));
    assert!(said.err.contains("\nADMIN_ADDR: \"3001\" is no address"), "{}", said.err);
}
