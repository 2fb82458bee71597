//! Step 7: a response is read completely and decompressed, within its limits.

use std::io::Write as _;

use super::*;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_body_comes_plain() {
    let compressed = gzip(b"hello");
    let server = Server::start(response("200 OK", &[("content-encoding", "gzip")], compressed));
    let gate = Kit::to(&server).live();
    let response = gate.sent(get(THINGS)).await;
    assert_eq!(&*response.body, b"hello");
    assert!(!response.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn a_body_of_as_many_bytes_as_the_limit_comes_whole() {
    let server = Server::start(ok("12345678"));
    let gate = Kit::to(&server).limits(|limits| limits.response_bytes = 8).live();
    assert_eq!(&*gate.sent(get(THINGS)).await.body, b"12345678");
}

#[tokio::test]
async fn a_body_above_its_limit_is_refused_before_and_after_decompression() {
    let large = vec![b'x'; 1000];
    let packed = gzip(&large);
    assert!(packed.len() < 100);
    for reply in [
        ok(&large),
        response("200 OK", &[("content-encoding", "gzip")], packed),
    ] {
        let server = Server::start(reply);
        let gate = Kit::to(&server)
            .limits(|limits| limits.response_bytes = 100)
            .live();
        assert_eq!(gate.fails(get(THINGS)).await, "http-response-body-size");
        assert_eq!(
            gate.limit(),
            "an answer of more than 100 bytes (`response-bytes`)"
        );
        let observed = gate.pipeline.observed();
        assert_eq!((observed.sent, observed.answered), (1, 0));
    }
}

#[tokio::test]
async fn headers_above_their_limits_are_refused() {
    let many: Vec<(&str, &str)> = (0..100).map(|_| ("x-many", "1")).collect();
    let large = "x".repeat(9000);
    for headers in [many, vec![("x-large", large.as_str())]] {
        let server = Server::start(response("200 OK", &headers, ""));
        let few = |limits: &mut Limits| (limits.header_count, limits.header_bytes) = (20, 8192);
        let gate = Kit::to(&server).limits(few).live();
        assert_eq!(gate.fails(get(THINGS)).await, "http-response-header-section-size");
        assert!(gate.limit().contains("(`header-bytes`)"), "{}", gate.limit());
    }
}

#[tokio::test]
async fn responses_that_the_node_holds_have_a_limit_together() {
    let server = Server::start(ok("12345678"));
    let gate = Kit::to(&server)
        .limits(|limits| limits.buffered_bytes = 16)
        .live();
    let first = gate.sent(get(THINGS)).await;
    let _second = gate.sent(get(THINGS)).await;
    assert_eq!(gate.fails(get(THINGS)).await, "http-response-body-size");
    assert!(gate.limit().contains("(`buffered-bytes`)"), "{}", gate.limit());
    drop(first);
    gate.sent(get(THINGS)).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_response() {
    let server = Server::closing("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    let gate = Kit::to(&server).live();
    assert_eq!(gate.fails(get(THINGS)).await, "connection-terminated");
    assert!(
        gate.trouble().starts_with("the answer broke off: "),
        "{}",
        gate.trouble()
    );
    assert_eq!(gate.pipeline.observed().answered, 0);
}

#[tokio::test]
async fn of_a_body_that_cannot_be_decoded_the_status_is_known() {
    let server = Server::start(response("200 OK", &[("content-encoding", "compress")], "x"));
    let gate = Kit::to(&server).live();
    assert_eq!(gate.fails(get(THINGS)).await, "http-response-content-coding");
    let (status, words) = gate.pipeline.undecoded().unwrap();
    assert_eq!(status, 200);
    assert!(words.contains("compress"), "{words}");
}

#[tokio::test]
async fn beside_a_status_of_failure_a_body_that_cannot_be_decoded_is_replaced_by_why() {
    let server = Server::start(response("503 No", &[("content-encoding", "compress")], "x"));
    let gate = Kit::to(&server).live();
    let response = gate.sent(get(THINGS)).await;
    assert_eq!(response.status.as_u16(), 503);
    let body = String::from_utf8(response.body.to_vec()).unwrap();
    assert!(body.contains("compress"), "{body}");
}
