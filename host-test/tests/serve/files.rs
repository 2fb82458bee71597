//! Files over the socket: given, named by items, and taken.

use std::io::Read as _;
use std::net::TcpListener;

use http::Method;
use serde_json::{Value, json};

use crate::support::{Server, hostile};

/// A service that answers each request with what it was sent.
fn echo() -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut writer = stream;
                loop {
                    let mut length = 0;
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
                            length = said.trim().parse().unwrap();
                        }
                        if line == "\r\n" {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/x-test\r\ncontent-length: {length}\r\n\r\n"
                    );
                    writer.write_all(&[head.as_bytes(), &body].concat()).unwrap();
                }
            });
        }
    });
    base
}

#[tokio::test]
async fn a_file_goes_in_by_its_id_and_another_comes_out() {
    let server = Server::start();
    let base = echo();
    let digest = server.load(&hostile("moves")).await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 253) as u8).collect();
    let (status, given) = server
        .send(
            Method::POST,
            "/v1/files",
            "application/octet-stream",
            bytes.clone(),
        )
        .await;
    let given: Value = serde_json::from_slice(&given).unwrap();
    assert_eq!((status.as_u16(), &given["size"]), (201, &json!(bytes.len())));
    let run = json!({
        "component": digest,
        "group": "things",
        "operation": "read",
        "credential": {"baseUrl": base, "secret": "0123456789abcdef"},
    });
    let task = json!({
        "requests": [{"method": "PUT", "url": format!("{base}/echo"), "body": [{"file": 0}], "keep": true}],
        "give": [{"key": "out", "name": "a/b.bin", "type": "text/x-test", "kept": 0}],
    });
    let named =
        |file: Value| json!({"id": "a", "parameters": {"task": task, "file": "f", "$files": {"f": file}}});
    let lines = server
        .run(&run, [named(json!({"id": given["id"], "fileName": "in.bin"}))])
        .await;
    let line = lines.iter().find(|line| line.get("item").is_some()).unwrap();
    let file = &line["files"][0]["out"];
    assert_eq!(
        (&file["fileName"], &file["size"]),
        (&json!("b.bin"), &json!(bytes.len())),
        "{line}"
    );
    assert!(file.get("path").is_none());
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    assert_eq!(server.send(Method::GET, &path, "", "").await.1, bytes);
    assert_eq!(server.send(Method::DELETE, &path, "", "").await.0, 204);
    assert_eq!(server.send(Method::GET, &path, "", "").await.0, 404);
    // A small one in the item itself.
    let lines = server.run(&run, [named(json!({"base64": "aGVsbG8="}))]).await;
    let line = lines.iter().find(|line| line.get("item").is_some()).unwrap();
    assert_eq!(line["files"][0]["out"]["size"], 5, "{line}");
    for (file, words) in [
        (
            json!({"id": "0123456789abcdef0123456789abcdef"}),
            "no file `0123456789abcdef0123456789abcdef` is kept",
        ),
        (json!({"path": "/etc/passwd"}), "--files-dir"),
        (json!({"path": "../x", "id": 7}), "expected a text"),
    ] {
        let lines = server.run(&run, [named(file.clone())]).await;
        let line = lines.iter().find(|line| line.get("item").is_some()).unwrap();
        assert!(
            line["error"]["message"].as_str().unwrap().contains(words),
            "{file}: {line}"
        );
    }
    // Nothing of them has a name in the file system.
    let beside: Vec<_> = std::fs::read_dir(server.folder.path().join("run"))
        .unwrap()
        .collect();
    assert!(beside.len() <= 2, "{beside:?}");
}
