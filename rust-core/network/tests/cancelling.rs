//! Cancelling: the connection goes at once, the answer says so, and nothing is held against the endpoint.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use whimbrel_network::{Answer, ChatEvent, Circuit, Delivery, FAILURES_MAX, Failure};

fn stalls() -> Vec<Vec<Step>> {
    let begun = [&stream_head()[..], delta("a").as_bytes()].concat();
    vec![
        vec![Step::Stall],
        vec![Step::Send(stream_head()), Step::Stall],
        vec![Step::Send(begun), Step::Stall],
    ]
}

/// Reads until the server has sent what it will.
async fn until_stalled(answer: &mut Answer, events: usize) {
    for _ in 0..events {
        answer.next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn dropping_closes_the_connection() {
    for (events, script) in stalls().into_iter().enumerate() {
        let server = Server::plain(script).await;
        let client = client();
        let endpoint = server.endpoint();
        for _ in 0..2 * FAILURES_MAX {
            let mut answer = ask(&client, &endpoint).unwrap();
            until_stalled(&mut answer, events).await;
            while server.requests() == 0 {
                tokio::task::yield_now().await;
            }
            drop(answer);
            server.client_gone().await;
            server.take_received();
        }
        assert_eq!(client.health(ID).unwrap().circuit, Circuit::Closed);
    }
}

#[tokio::test]
async fn cancelling_is_told() {
    for (events, script) in stalls().into_iter().enumerate() {
        let server = Server::plain(script).await;
        let mut answer = ask(&client(), &server.endpoint()).unwrap();
        until_stalled(&mut answer, events).await;
        while server.requests() == 0 {
            tokio::task::yield_now().await;
        }
        // From elsewhere, while the answer is waited for, and again.
        let canceller = answer.canceller();
        tokio::spawn(async move {
            canceller.cancel();
            canceller.cancel();
        });
        let error = answer.next().await.unwrap().unwrap_err();
        assert_eq!(error.failure, Failure::Cancelled);
        assert_eq!(error.partial_text, events == 2);
        let delivery = if events == 0 {
            Delivery::Unknown
        } else {
            Delivery::Answered
        };
        assert_eq!((error.delivery, answer.delivery()), (delivery, delivery));
        assert_eq!(error.traffic, answer.traffic());
        assert!(error.traffic.bytes_out > 0);
        server.client_gone().await;
        answer.cancel();
        assert_eq!(answer.next().await, None);
    }
}

#[tokio::test]
async fn cancelled_before_it_began() {
    let server = Server::plain(good()).await;
    let mut answer = ask(&client(), &server.endpoint()).unwrap();
    answer.cancel();
    let error = answer.next().await.unwrap().unwrap_err();
    assert_eq!((error.failure, error.delivery), (Failure::Cancelled, Delivery::NotSent));
    assert_eq!(error.traffic.bytes_out, 0);
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn cancelling_after_the_end_does_nothing() {
    let server = Server::plain(good()).await;
    let client = client();
    for _ in 0..3 {
        let mut answer = ask(&client, &server.endpoint()).unwrap();
        while !matches!(answer.next().await, Some(Ok(ChatEvent::Finished(_)))) {}
        answer.cancel();
        drop(answer);
    }
    // The connection was not a casualty.
    assert_eq!((server.requests(), server.connections()), (3, 1));
}

#[test]
fn a_runtime_that_ends_ends_its_answers() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (servers, clients) = (runtime(), runtime());
    let server = servers.block_on(Server::plain(vec![Step::Stall]));
    let client = whimbrel_network::ChatClient::new(clients.handle().clone());
    let mut answer = ask(&client, &server.endpoint()).unwrap();
    while server.requests() == 0 {
        std::thread::yield_now();
    }
    clients.shutdown_background();
    // Pulled by an executor that knows nothing of tokio's drivers.
    let plain = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = plain.block_on(answer.next()).unwrap().unwrap_err();
    assert_eq!((error.failure, error.delivery), (Failure::Cancelled, Delivery::Unknown));
}
