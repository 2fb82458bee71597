//! Imports everything that the runtimes of languages import, and uses it, as its item says: `{"void": "…"}`.

use hostile_guests::{
    Behaviour, Call, Failure, Item, ItemResult, Session, guest, outputs, parse, session, token,
};
use serde_json::{Value, json};
use void::wasi::cli::{
    environment, exit, stderr, stdin, stdout, terminal_stderr, terminal_stdin, terminal_stdout,
};
use void::wasi::filesystem::preopens;
use void::wasi::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, DirectoryEntryStream, NewTimestamp, OpenFlags, PathFlags,
};
use void::wasi::io::streams::OutputStream;
use void::wasi::random::{insecure, insecure_seed};
use void::wasi::sockets::network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use void::wasi::sockets::tcp::TcpSocket;
use void::wasi::sockets::udp::UdpSocket;
use void::wasi::sockets::{instance_network, ip_name_lookup, tcp_create_socket, udp_create_socket};

#[allow(unused, clippy::all, reason = "generated code")]
mod void {
    wit_bindgen::generate!({
        path: "../../host/wit",
        inline: "
            package hostile:void;

            world void {
                import wasi:cli/environment@0.2.12;
                import wasi:cli/exit@0.2.12;
                import wasi:cli/stderr@0.2.12;
                import wasi:cli/stdin@0.2.12;
                import wasi:cli/stdout@0.2.12;
                import wasi:cli/terminal-stderr@0.2.12;
                import wasi:cli/terminal-stdin@0.2.12;
                import wasi:cli/terminal-stdout@0.2.12;
                import wasi:filesystem/preopens@0.2.12;
                import wasi:filesystem/types@0.2.12;
                import wasi:random/insecure@0.2.12;
                import wasi:random/insecure-seed@0.2.12;
                import wasi:sockets/instance-network@0.2.12;
                import wasi:sockets/ip-name-lookup@0.2.12;
                import wasi:sockets/tcp@0.2.12;
                import wasi:sockets/tcp-create-socket@0.2.12;
                import wasi:sockets/udp@0.2.12;
                import wasi:sockets/udp-create-socket@0.2.12;
            }
        ",
        world: "hostile:void/void",
        generate_all,
    });
}

struct UsesVoid;

impl Behaviour for UsesVoid {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        let run = |item: &Item| Ok(outputs([run(&parse(&item.parameters))]));
        Ok(call.items.iter().map(run).collect())
    }

    fn authenticate(credential: Value) -> Result<Session, Failure> {
        if credential["mode"] == "prints" {
            print(
                &stdout::get_stdout(),
                &format!("{credential}\n{}\n", token(&credential)),
            );
            print(
                &stderr::get_stderr(),
                &format!("{credential}\n{}\n", token(&credential)),
            );
        }
        Ok(session(&format!("Bearer {}", token(&credential))))
    }

    fn describing() -> hostile_guests::d::Node {
        print(&stdout::get_stdout(), "printed while it described itself\n");
        hostile_guests::describe()
    }
}

fn run(item: &Value) -> Value {
    let text = item["text"].as_str().unwrap_or_default();
    let times = item["times"].as_u64().unwrap_or(1);
    let handle = item["handle"].as_u64().unwrap_or_default() as u32;
    match item["void"].as_str().unwrap_or_default() {
        "environment" => json!({
            "variables": environment::get_environment(),
            "arguments": environment::get_arguments(),
            "folder": environment::initial_cwd(),
            "opened": preopens::get_directories().len(),
            "terminals": [
                terminal_stdin::get_terminal_stdin().is_some(),
                terminal_stdout::get_terminal_stdout().is_some(),
                terminal_stderr::get_terminal_stderr().is_some(),
            ],
            "input": format!("{:?}", stdin::get_stdin().blocking_read(100)),
        }),
        "random" => json!([
            insecure_seed::insecure_seed(),
            insecure::get_insecure_random_u64(),
            insecure::get_insecure_random_bytes(4),
        ]),
        "sockets" => sockets(text),
        "exits" => {
            exit::exit(Ok(()));
            json!("it went on")
        }
        "fails" => {
            exit::exit(Err(()));
            json!("it went on")
        }
        "prints" => {
            (0..times).for_each(|_| print(&stdout::get_stdout(), text));
            json!("printed")
        }
        "complains" => {
            (0..times).for_each(|_| print(&stderr::get_stderr(), text));
            panic!();
        }
        "descriptor" => descriptor(text, handle),
        _ => Value::Null,
    }
}

fn print(stream: &OutputStream, text: &str) {
    for piece in text.as_bytes().chunks(4096) {
        stream
            .blocking_write_and_flush(piece)
            .expect("a stream that takes it");
    }
}

/// Makes every kind of socket, and looks a name up. `text` is the name.
fn sockets(text: &str) -> Value {
    let network = instance_network::instance_network();
    let resolved = ip_name_lookup::resolve_addresses(&network, text);
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port: 0,
        address: (127, 0, 0, 1),
    });
    let tcp = |family| {
        tcp_create_socket::create_tcp_socket(family)
            .map(|socket: TcpSocket| format!("{:?}", socket.start_bind(&network, address)))
            .map_err(|code| format!("{code:?}"))
    };
    let udp = |family| {
        udp_create_socket::create_udp_socket(family)
            .map(|socket: UdpSocket| format!("{:?}", socket.start_bind(&network, address)))
            .map_err(|code| format!("{code:?}"))
    };
    let outcome = |made: Result<String, String>| match made {
        Ok(bound) => format!("made, {bound}"),
        Err(code) => code,
    };
    json!([
        resolved.map_or_else(|code| format!("{code:?}"), |_| "looked up".to_owned()),
        outcome(tcp(IpAddressFamily::Ipv4)),
        outcome(tcp(IpAddressFamily::Ipv6)),
        outcome(udp(IpAddressFamily::Ipv4)),
        outcome(udp(IpAddressFamily::Ipv6)),
    ])
}

/// Calls a function of a descriptor that nobody gave it, by guessing the number of its handle.
fn descriptor(function: &str, handle: u32) -> Value {
    // SAFETY: there is no such handle. That the host says so is what the row is about.
    let guessed = std::mem::ManuallyDrop::new(unsafe { Descriptor::from_handle(handle) });
    let (follow, none, now) = (
        PathFlags::SYMLINK_FOLLOW,
        DescriptorFlags::empty(),
        NewTimestamp::Now,
    );
    let all = DescriptorFlags::READ | DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY;
    let said = match function {
        "read" => format!("{:?}", guessed.read(100, 0)),
        "write" => format!("{:?}", guessed.write(b"owned", 0)),
        "read-via-stream" => format!("{:?}", guessed.read_via_stream(0).is_ok()),
        "write-via-stream" => format!("{:?}", guessed.write_via_stream(0).is_ok()),
        "append-via-stream" => format!("{:?}", guessed.append_via_stream().is_ok()),
        "advise" => format!("{:?}", guessed.advise(0, 1, Advice::Normal)),
        "sync-data" => format!("{:?}", guessed.sync_data()),
        "sync" => format!("{:?}", guessed.sync()),
        "get-flags" => format!("{:?}", guessed.get_flags()),
        "get-type" => format!("{:?}", guessed.get_type()),
        "set-size" => format!("{:?}", guessed.set_size(0)),
        "set-times" => format!("{:?}", guessed.set_times(now, now)),
        "read-directory" => format!("{:?}", guessed.read_directory().is_ok()),
        "create-directory-at" => format!("{:?}", guessed.create_directory_at("owned")),
        "stat" => format!("{:?}", guessed.stat()),
        "stat-at" => format!("{:?}", guessed.stat_at(follow, "/etc/passwd")),
        "set-times-at" => format!("{:?}", guessed.set_times_at(follow, "/etc/passwd", now, now)),
        "link-at" => format!("{:?}", guessed.link_at(follow, "a", &guessed, "b")),
        "open-at" => format!(
            "{:?}",
            guessed
                .open_at(follow, "/etc/passwd", OpenFlags::CREATE, all)
                .is_ok()
        ),
        "open-at-read" => format!(
            "{:?}",
            guessed.open_at(follow, "..", OpenFlags::DIRECTORY, none).is_ok()
        ),
        "readlink-at" => format!("{:?}", guessed.readlink_at("a")),
        "remove-directory-at" => format!("{:?}", guessed.remove_directory_at("a")),
        "rename-at" => format!("{:?}", guessed.rename_at("a", &guessed, "b")),
        "symlink-at" => format!("{:?}", guessed.symlink_at("/", "a")),
        "unlink-file-at" => format!("{:?}", guessed.unlink_file_at("a")),
        "is-same-object" => format!("{:?}", guessed.is_same_object(&guessed)),
        "metadata-hash" => format!("{:?}", guessed.metadata_hash()),
        "metadata-hash-at" => format!("{:?}", guessed.metadata_hash_at(follow, "/etc")),
        "read-directory-entry" => {
            // SAFETY: as above.
            let stream = unsafe { DirectoryEntryStream::from_handle(handle) };
            format!("{:?}", std::mem::ManuallyDrop::new(stream).read_directory_entry())
        }
        other => panic!("no function {other}"),
    };
    json!(said)
}

guest!(UsesVoid);
