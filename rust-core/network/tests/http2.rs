//! The same over HTTP/2, where several answers share one connection.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use common::*;
use h2::{Reason, SendStream};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use whimbrel_network::{Answer, ChatClient, ChatEvent, Delivery, Endpoint, EndpointSettings, Failure};

/// What is done with a request.
#[derive(Clone, Copy, Debug)]
enum Act {
    Good,
    EachByte,
    /// A head and some text, and then nothing until the stream is reset; that is reported.
    Stall,
    /// The same, and then a reset from our side.
    ResetMidway(Reason),
    /// A reset in place of a head.
    Reset(Reason),
    /// The end of the stream in the middle of the answer.
    EndMidway,
}

struct Http2 {
    address: SocketAddr,
    authority: Authority,
    connections: Arc<Mutex<u32>>,
    requests: Arc<Mutex<u32>>,
    resets: mpsc::UnboundedReceiver<Reason>,
}

impl Http2 {
    async fn start(act: Act) -> Http2 {
        let authority = Authority::new("Root");
        let acceptor = authority
            .leaf(&["127.0.0.1"], |_| {})
            .acceptor(&[], &[b"h2", b"http/1.1"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (reset, resets) = mpsc::unbounded_channel();
        let server = Http2 {
            address: listener.local_addr().unwrap(),
            authority,
            connections: Arc::default(),
            requests: Arc::default(),
            resets,
        };
        let (connections, requests) = (Arc::clone(&server.connections), Arc::clone(&server.requests));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                let (acceptor, requests, reset) = (acceptor.clone(), Arc::clone(&requests), reset.clone());
                tokio::spawn(async move {
                    let tls = acceptor.accept(tcp).await.unwrap();
                    let mut connection = h2::server::handshake(tls).await.unwrap();
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        tokio::spawn(answer(act, request, respond, Arc::clone(&requests), reset.clone()));
                    }
                });
            }
        });
        server
    }

    fn endpoint(&self) -> Endpoint {
        let mut settings = EndpointSettings::new(ID, &format!("https://{}/v1", self.address), "small");
        settings.authorities_pem = self.authority.pem();
        Endpoint::new(settings).unwrap()
    }
}

async fn answer(
    act: Act,
    request: hyper::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    requests: Arc<Mutex<u32>>,
    reset: mpsc::UnboundedSender<Reason>,
) {
    assert_eq!(request.headers()["idempotency-key"], "request-1");
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        let count = data.unwrap().len();
        body.flow_control().release_capacity(count).unwrap();
    }
    *requests.lock().unwrap() += 1;
    if let Act::Reset(reason) = act {
        respond.send_reset(reason);
        return;
    }
    let head = hyper::Response::builder()
        .header("content-type", "text/event-stream")
        .body(())
        .unwrap();
    let mut stream: SendStream<Bytes> = respond.send_response(head, false).unwrap();
    let begun = delta("a");
    match act {
        Act::Good => stream.send_data(good_events().into(), true).unwrap(),
        Act::EachByte => {
            for byte in good_events().into_bytes() {
                stream.send_data(Bytes::from(vec![byte]), false).unwrap();
                tokio::task::yield_now().await;
            }
            stream.send_data(Bytes::new(), true).unwrap();
        }
        Act::Stall => {
            stream.send_data(begun.into(), false).unwrap();
            let reason = std::future::poll_fn(|context| stream.poll_reset(context)).await;
            let _ = reset.send(reason.unwrap());
        }
        Act::ResetMidway(reason) => {
            stream.send_data(begun.into(), false).unwrap();
            // Once the data has left, which the client shows by taking it.
            tokio::task::yield_now().await;
            stream.send_reset(reason);
        }
        Act::EndMidway => stream.send_data(begun.into(), true).unwrap(),
        Act::Reset(_) => unreachable!(),
    }
}

#[tokio::test]
async fn many_answers_share_a_connection() {
    for act in [Act::Good, Act::EachByte] {
        let server = Http2::start(act).await;
        let (client, endpoint) = (client(), server.endpoint());
        assert_eq!(read(ask(&client, &endpoint).unwrap()).await.0, TEXT);
        let answers: Vec<Answer> = (0..20).map(|_| ask(&client, &endpoint).unwrap()).collect();
        for mut answer in answers {
            let started = answer.next().await.unwrap().unwrap();
            assert!(matches!(started, ChatEvent::Started { http2: true, .. }));
            let (text, end) = read(answer).await;
            assert_eq!(text, TEXT);
            end.unwrap();
        }
        let counts = (*server.requests.lock().unwrap(), *server.connections.lock().unwrap());
        assert_eq!(counts, (21, 1), "{act:?}");
    }
}

#[tokio::test]
async fn cancelling_one_leaves_the_others() {
    let mut server = Http2::start(Act::Stall).await;
    let (client, endpoint) = (client(), server.endpoint());
    let begun = async |client: &ChatClient| {
        let mut answer = ask(client, &endpoint).unwrap();
        answer.next().await.unwrap().unwrap();
        assert_eq!(answer.next().await.unwrap().unwrap(), ChatEvent::Text("a".to_owned()));
        answer
    };
    let first = begun(&client).await;
    let second = begun(&client).await;
    drop(first);
    assert_eq!(server.resets.recv().await, Some(Reason::CANCEL));
    let third = begun(&client).await;
    second.cancel();
    third.cancel();
    assert_eq!(server.resets.recv().await, Some(Reason::CANCEL));
    assert_eq!(server.resets.recv().await, Some(Reason::CANCEL));
    assert_eq!(*server.connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn streams_that_break() {
    let check = async |act, failure, delivery| {
        let server = Http2::start(act).await;
        let (_, end) = ask_once(&server.endpoint()).await;
        failed(&end, failure, delivery);
        assert_eq!(*server.requests.lock().unwrap(), 1, "{act:?}");
    };
    check(Act::EndMidway, Failure::Truncated, Delivery::Answered).await;
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::ENHANCE_YOUR_CALM] {
        check(Act::ResetMidway(reason), Failure::Lost, Delivery::Answered).await;
        check(Act::Reset(reason), Failure::Lost, Delivery::Unknown).await;
    }
    // The server says that it did nothing; we do not rely on it.
    check(Act::Reset(Reason::REFUSED_STREAM), Failure::Lost, Delivery::Unknown).await;
}
