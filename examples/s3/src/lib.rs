//! Buckets and objects of any S3 service.
#![cfg_attr(rustfmt, rustfmt_skip)]

use std::fmt::Write as _;

use nodule_sdk::file::ItemFile;
use nodule_sdk::json::{Members, Part, at, elements, push_quoted, quote, string};
use nodule_sdk::prelude::*;
use nodule_sdk::sign::aws::{Keys, Payload, SigV4};
use nodule_sdk::sign::{base64, now_seconds, sha256};
use nodule_sdk::{Answer, Client, Draft, DraftBody, Failure, Field, Item, Method, OutputItem, Problem, Request, Secrets, SignedRequest, output, path, segments};

/// As the tools of AWS have it, and what they send in one piece.
const PART_BYTES: u64 = 8 * 1024 * 1024;
/// An item may write 1,000 times; beside the parts an upload is begun, completed and, if need be, aborted.
const MAX_PARTS: u64 = 997;
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

const BUCKET: Parameter = text("bucketName", "Bucket Name").required();
const KEY: Parameter = text("fileKey", "File Key").required().placeholder("reports/2026.pdf");
const PAYER: Parameter = flag("requesterPays", "Requester Pays", &["requester", ""]).header("x-amz-request-payer")
    .about("Whether who asks pays for requests and transfer");
const OWNER: Parameter = flag("fetchOwner", "Fetch Owner", &["true", ""]).wire("fetch-owner").about("Whether each row says who owns the object");
const FOLDER: Parameter = text("folderKey", "Folder Key").wire("prefix").about("Only keys that begin with this");
const PARENT: Parameter = text("parentFolderKey", "Parent Folder Key").unsent();
const CLASSES: &[Choice] = &[
    worded("deepArchive", "Deep Archive").sent("DEEP_ARCHIVE"), worded("glacier", "Glacier").sent("GLACIER"),
    worded("intelligentTiering", "Intelligent Tiering").sent("INTELLIGENT_TIERING"), worded("onezoneIA", "One Zone IA").sent("ONEZONE_IA"),
    worded("RecudedRedundancy", "Reduced Redundancy").sent("REDUCED_REDUNDANCY"), worded("standard", "Standard").sent("STANDARD"),
    worded("standardIA", "Standard IA").sent("STANDARD_IA"),
];
const CLASS: Parameter = choice("storageClass", "Storage Class", CLASSES).header("x-amz-storage-class");
const ACLS: &[Choice] = &[
    worded("authenticatedRead", "Authenticated Read").sent("authenticated-read"), worded("awsExecRead", "AWS Exec Read").sent("aws-exec-read"),
    worded("bucketOwnerFullControl", "Bucket Owner Full Control").sent("bucket-owner-full-control"),
    worded("bucketOwnerRead", "Bucket Owner Read").sent("bucket-owner-read"), worded("private", "Private"),
    worded("publicRead", "Public Read").sent("public-read"), worded("publicReadWrite", "Public Read Write").sent("public-read-write"),
];
const ACL: Parameter = choice("acl", "ACL", ACLS).header("x-amz-acl").about("The canned ACL of the object");
const HOLD: Parameter = flag("lockLegalHold", "Lock Legal Hold", &["ON", ""]).header("x-amz-object-lock-legal-hold");
const LOCK_MODES: &[Choice] = &[worded("governance", "Governance").sent("GOVERNANCE"), worded("compliance", "Compliance").sent("COMPLIANCE")];
const LOCK_MODE: Parameter = choice("lockMode", "Lock Mode", LOCK_MODES).header("x-amz-object-lock-mode");
const LOCK_UNTIL: Parameter = date_time("lockRetainUntilDate", "Lock Retain Until Date").header("x-amz-object-lock-retain-until-date");
const ENCRYPTIONS: &[Choice] = &[worded("AES256", "AES256"), worded("aws:kms", "AWS:KMS")];
const ENCRYPTION: Parameter = choice("serverSideEncryption", "Server Side Encryption", ENCRYPTIONS).header("x-amz-server-side-encryption");
const CONTEXT: Parameter = text("serverSideEncryptionContext", "Server Side Encryption Context").header("x-amz-server-side-encryption-context");
const KMS_KEY: Parameter = text("encryptionAwsKmsKeyId", "Server Side Encryption AWS KMS Key ID").header("x-amz-server-side-encryption-aws-kms-key-id");
const CUSTOMER_ALGORITHM: Parameter = text("serversideEncryptionCustomerAlgorithm", "Server Side Encryption Customer Algorithm")
    .header("x-amz-server-side-encryption-customer-algorithm");
const CUSTOMER_KEY: Parameter = text("serversideEncryptionCustomerKey", "Server Side Encryption Customer Key")
    .header("x-amz-server-side-encryption-customer-key");
const CUSTOMER_MD5: Parameter = text("serversideEncryptionCustomerKeyMD5", "Server Side Encryption Customer Key MD5")
    .header("x-amz-server-side-encryption-customer-key-md5");
const DIRECTIVES: &[Choice] = &[worded("copy", "Copy").sent("COPY"), worded("replace", "Replace").sent("REPLACE")];

/// `{"success":true}`, as n8n's own node gives.
const DONE: Output = by(nodule_sdk::run!(done));
const NEXT: Next = cursor("continuation-token", "/ListBucketResult/NextContinuationToken");

const CREATE_BUCKET: Operation = Operation {
    group: "bucket", name: "create", title: "Create Bucket", about: "Create a bucket", action: "Create a bucket",
    effect: Effect::Idempotent, evidence: "CreateBucket: the second time changes nothing, and is answered with 200 or 409 BucketAlreadyOwnedByYou",
    request: put("/{name}"),
    parameters: &[
        text("name", "Name").required().about("A name that no other bucket of the service has"),
        group("additionalFields", "Additional Fields", &[
            choice("acl", "ACL", &[
                worded("authenticatedRead", "Authenticated Read").sent("authenticated-read"), worded("Private", "Private").sent("private"),
                worded("publicRead", "Public Read").sent("public-read"), worded("publicReadWrite", "Public Read Write").sent("public-read-write"),
            ]).header("x-amz-acl").about("The canned ACL of the bucket"),
            flag("bucketObjectLockEnabled", "Bucket Object Lock Enabled", &["true", ""]).header("x-amz-bucket-object-lock-enabled"),
            text("region", "Region").unsent().about("Where the bucket is to be; else in the credential's region"),
        ]).spread(),
    ],
    output: by(nodule_sdk::run!(create_bucket)),
};

const DELETE_BUCKET: Operation = Operation {
    name: "delete", title: "Delete Bucket", about: "Delete an empty bucket", action: "Delete a bucket",
    evidence: "DeleteBucket: a bucket that is gone stays gone; the second time is answered with 404 NoSuchBucket",
    request: delete("/{name}"),
    parameters: &[text("name", "Name").required()],
    output: DONE, ..CREATE_BUCKET
};

const LIST_BUCKETS: Operation = Operation {
    name: "getAll", title: "Get Many Buckets", about: "List the buckets of whoever owns the keys", action: "Get many buckets",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/"),
    parameters: &[RETURN_ALL, limit(100)],
    output: pages("/ListAllMyBucketsResult/Buckets/Bucket", cursor("continuation-token", "/ListAllMyBucketsResult/ContinuationToken")),
    ..CREATE_BUCKET
};

const SEARCH_BUCKET: Operation = Operation {
    name: "search", title: "Search Bucket", about: "List the objects of a bucket", action: "Search a bucket",
    request: get("/{bucketName}?list-type=2"),
    parameters: &[
        BUCKET, RETURN_ALL, limit(100).wire("max-keys").query(),
        group("additionalFields", "Additional Fields", &[
            text("delimiter", "Delimiter").about("Keys that have this behind the prefix are left out"),
            choice("encodingType", "Encoding Type", &[worded("url", "URL")]).wire("encoding-type"),
            OWNER, text("prefix", "Prefix").about("Only keys that begin with this"), PAYER,
            text("startAfter", "Start After").wire("start-after").about("Only keys behind this one"),
        ]).spread(),
    ],
    output: pages("/ListBucketResult/Contents", NEXT), ..LIST_BUCKETS
};

const COPY_FILE: Operation = Operation {
    group: "file", name: "copy", title: "Copy File", about: "Copy an object, within a bucket or into another one", action: "Copy a file",
    evidence: "CopyObject: it writes the whole object, as often as it is asked",
    request: put("/").undeclared(),
    parameters: &[
        text("sourcePath", "Source Path").required().placeholder("/bucket/my-image.jpg").unsent()
            .about("Bucket and key, with slashes before both; a % of the key is written %25"),
        text("destinationPath", "Destination Path").required().placeholder("/bucket/my-second-image.jpg").unsent()
            .about("Bucket and key, with slashes before both"),
        group("additionalFields", "Additional Fields", &[
            ACL, HOLD, LOCK_MODE, LOCK_UNTIL, choice("metadataDirective", "Metadata Directive", DIRECTIVES).header("x-amz-metadata-directive"),
            PAYER, ENCRYPTION, CONTEXT, KMS_KEY, CUSTOMER_ALGORITHM, CUSTOMER_KEY, CUSTOMER_MD5, CLASS,
            choice("taggingDirective", "Tagging Directive", DIRECTIVES).header("x-amz-tagging-directive"),
        ]).spread(),
    ],
    output: by(nodule_sdk::run!(copy_file)), ..CREATE_BUCKET
};

const DELETE_FILE: Operation = Operation {
    name: "delete", title: "Delete File", about: "Delete an object", action: "Delete a file",
    evidence: "DeleteObject: answered with 204, whether there is an object or not",
    request: delete("/{bucketName}/{fileKey+}"),
    parameters: &[BUCKET, KEY, group("options", "Options", &[text("versionId", "Version ID")]).spread()],
    output: DONE, ..COPY_FILE
};

const DOWNLOAD_FILE: Operation = Operation {
    name: "download", title: "Download File", about: "Download an object, or a piece of it", action: "Download a file",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/{bucketName}/{fileKey+}"),
    parameters: &[
        BUCKET, KEY, text("binaryPropertyName", "Put Output File in Field").or_text("data").unsent(),
        text("range", "Range").header("range").placeholder("bytes=0-1023").about("Which bytes; all when empty"),
    ],
    output: download("binaryPropertyName"), ..COPY_FILE
};

const HEAD_FILE: Operation = Operation {
    name: "head", title: "Get File Metadata", about: "Fetch what is known of an object, without its bytes", action: "Get metadata of a file",
    evidence: "a query by HEAD",
    request: head("/{bucketName}/{fileKey+}"),
    parameters: &[BUCKET, KEY],
    output: by(nodule_sdk::run!(head_file)), ..DOWNLOAD_FILE
};

const LIST_FILES: Operation = Operation {
    name: "getAll", title: "Get Many Files", about: "List the files of a folder", action: "Get many files",
    request: get("/{bucketName}?delimiter=/&list-type=2"),
    parameters: &[BUCKET, RETURN_ALL, limit(100), group("options", "Options", &[OWNER, FOLDER]).spread()],
    output: pages_by(|_, page| Ok(files(page)), NEXT), ..DOWNLOAD_FILE
};

const UPLOAD_FILE: Operation = Operation {
    name: "upload", title: "Upload File", about: "Upload a file or a text; a large file in parts", action: "Upload a file",
    evidence: "PutObject and CompleteMultipartUpload: the whole object is written under its key, and of several the last one counts; an upload that \
        was aborted leaves nothing. Where the bucket keeps versions, each is another version",
    request: put("/{bucketName}").undeclared().writes(1_000),
    parameters: &[
        BUCKET,
        boolean("binaryData", "Binary File").or_bool(true).unsent().about("Whether to upload a file of the item"),
        text("fileName", "File Name").unsent().placeholder("hello.txt").about("The key; the name of the file when empty"),
        multiline("fileContent", "File Content").unsent().when(&[is("binaryData", &[Scalar::Bool(false)])]),
        file("binaryPropertyName", "Input Binary Field").required().or_text("data").unsent().when(&[is("binaryData", &[Scalar::Bool(true)])]),
        group("additionalFields", "Additional Fields", &[
            ACL, HOLD, LOCK_MODE, LOCK_UNTIL, PARENT, PAYER, ENCRYPTION, CONTEXT, KMS_KEY, CUSTOMER_ALGORITHM, CUSTOMER_KEY, CUSTOMER_MD5, CLASS,
        ]).spread(),
        rows("tagsUi", "Tags", &Rows { name: "tagsValues", label: "Tag", columns: &[text("key", "Key").required(), text("value", "Value")] }).unsent(),
    ],
    output: by(nodule_sdk::run!(upload_file)), ..COPY_FILE
};

const CREATE_FOLDER: Operation = Operation {
    group: "folder", name: "create", title: "Create Folder", about: "Create a folder: an empty object whose key ends with a slash",
    action: "Create a folder",
    request: put("/{bucketName}").undeclared(),
    parameters: &[
        BUCKET, text("folderName", "Folder Name").required().unsent(),
        group("additionalFields", "Additional Fields", &[PARENT, PAYER, CLASS]).spread(),
    ],
    output: by(nodule_sdk::run!(create_folder)), ..UPLOAD_FILE
};

const DELETE_FOLDER: Operation = Operation {
    name: "delete", title: "Delete Folder", about: "Delete all objects whose keys begin as the folder's does", action: "Delete a folder",
    evidence: "DeleteObjects: an object that is gone stays gone, and is answered as deleted",
    request: post("/{bucketName}?delete").undeclared().writes(1_000),
    parameters: &[BUCKET, text("folderKey", "Folder Key").required().unsent().placeholder("reports/").about("With its slash at the end")],
    output: by(nodule_sdk::run!(delete_folder)), ..CREATE_FOLDER
};

const LIST_FOLDERS: Operation = Operation {
    name: "getAll", title: "Get Many Folders", about: "List the folders of a bucket", action: "Get many folders",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/{bucketName}?list-type=2"),
    parameters: &[BUCKET, RETURN_ALL, limit(100), group("options", "Options", &[OWNER, FOLDER]).spread()],
    output: pages_by(|_, page| Ok(folders(page)), NEXT), ..CREATE_FOLDER
};

/// The node.
pub static SERVICE: Service = Service {
    name: "s3Storage", title: "S3", about: "Buckets and objects of any S3 service",
    documentation: Some("https://docs.aws.amazon.com/AmazonS3/latest/API/"),
    aliases: &["object storage", "MinIO", "Ceph"],
    groups: &[
        Group { name: "file", title: "File", about: "Objects" },
        Group { name: "bucket", title: "Bucket", about: "Buckets" },
        Group { name: "folder", title: "Folder", about: "Objects that stand for the beginning of others' keys" },
    ],
    credentials: &[Credential {
        name: "s3", title: "S3",
        fields: &[
            text("endpoint", "S3 Endpoint").required().placeholder("https://s3.eu-central-1.amazonaws.com"),
            text("region", "Region").required().or_text("us-east-1"),
            text("accessKeyId", "Access Key ID").required(),
            secret("secretAccessKey", "Secret Access Key").required(),
            secret("sessionToken", "Session Token").about("Of keys that are valid for a while"),
            boolean("forcePathStyle", "Force Path Style").or_bool(true)
                .about("Whether the bucket stands in the path; else it stands in the host's name, where the node knows the service"),
        ],
        base_url: Some("endpoint"),
        scheme: signed(BodyNeed::Digest, |secrets, draft| sign(&secrets, draft)), test: Some("/"), ..Credential::NEW
    }],
    origins: &[
        Origin { url: "https://*.s3.{region}.amazonaws.com", access: &["s3"], reason: BUCKET_HOST },
        Origin { url: "https://*.s3.amazonaws.com", access: &["s3"], reason: BUCKET_HOST },
        Origin { url: "https://*.{region}.digitaloceanspaces.com", access: &["s3"], reason: BUCKET_HOST },
    ],
    route: Some(route),
    headers: &[("user-agent", "s3-node/0.1.0")],
    looks_at: &["content-length"],
    reads: Some(xml(&["Bucket", "Contents", "Deleted", "Error"])),
    errors: errors(&["/Error/Message", "/Error/Code"]).code(&["/Error/Code"]).request_id(&["/Error/RequestId"]).request_id_header("x-amz-request-id")
        .throttled(&[503]).by_code(CODES).failure_codes(CODES),
    // A stored workflow leaves out the resource and the operation that the form of n8n's node begins with: they are the first.
    operations: &[
        &DOWNLOAD_FILE, &COPY_FILE, &DELETE_FILE, &HEAD_FILE, &LIST_FILES, &UPLOAD_FILE,
        &CREATE_BUCKET, &DELETE_BUCKET, &LIST_BUCKETS, &SEARCH_BUCKET,
        &CREATE_FOLDER, &DELETE_FOLDER, &LIST_FOLDERS,
    ],
    ..Service::NEW
};
nodule_sdk::export!(SERVICE, files, signing);

const BUCKET_HOST: &str = "A bucket has a host of its own, unless the credential forces the path style";

/// `/kites/a.txt` of an endpoint whose buckets have hosts is `/a.txt` of `kites`. A name with a dot has no certificate, and stays in the path.
fn route(client: &Client<'_>, request: &mut Request) -> Option<String> {
    if client.setting("forcePathStyle").as_deref() != Some("false") {
        return None;
    }
    let (host, region) = (client.base().to_string(), client.setting("region")?);
    let endpoint = SERVICE.origins.iter().map(|origin| origin.url.replace("*.", "").replace("{region}", &region)).find(|endpoint| *endpoint == host)?;
    let end = request.target.get(1..)?.find(['/', '?']).map_or(request.target.len(), |end| end + 1);
    let (bucket, rest) = request.target.split_at_checked(end)?;
    let bucket = bucket.trim_start_matches('/').to_owned();
    if bucket.is_empty() || !bucket.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return None;
    }
    request.target = [if rest.starts_with('/') { "" } else { "/" }, rest].concat();
    Some(endpoint.replace("https://", &["https://", &bucket, "."].concat()))
}

/// Some services fail behind a status 200, and what did not arrive as it was sent is said with 400.
const CODES: Codes = Codes {
    unauthenticated: &["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "NotSignedUp"],
    throttled: &["SlowDown"],
    unavailable: &["InternalError", "RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"],
    ..Codes::NEW
};

fn sign(secrets: &Secrets, draft: Draft) -> Result<SignedRequest, Failure> {
    let key = SigV4 {
        keys: Keys {
            access_key_id: secrets.text("accessKeyId").trim(),
            secret_access_key: secrets.text("secretAccessKey").trim(),
            session_token: Some(secrets.text("sessionToken")).filter(|token| !token.is_empty()),
        },
        region: secrets.text("region").trim(), service: "s3", seconds: now_seconds(),
    };
    let payload = match &draft.body {
        DraftBody::Empty => Payload::Bytes(&[]),
        DraftBody::Bytes(bytes) => Payload::Bytes(bytes),
        DraftBody::Digest(digest) => Payload::Sha256(&digest.sha256),
        DraftBody::Unread(_) => Payload::Unsigned,
    };
    let headers: Vec<_> = draft.headers.into_iter().map(|field| (field.name, field.value)).collect();
    let signed = key.sign(&draft.method, &draft.url, &headers, payload).map_err(|error| Failure::InvalidInput(error.to_string()))?;
    Ok(SignedRequest { url: draft.url, headers: signed.into_iter().map(|(name, value)| Field { name, value }).collect(), body: None })
}

type Outputs = Result<Vec<OutputItem>, Failure>;

async fn done(item: &Item<'_>) -> Outputs {
    send(item, item.request()).await
}

async fn send(item: &Item<'_>, request: Request) -> Outputs {
    item.client.document(request).await?;
    Ok(vec![output(r#"{"success":true}"#.to_owned())])
}

/// The text at a JSON pointer; nothing where it is empty.
fn text_at(json: &str, pointer: &str) -> Option<String> {
    Some(string(at(json, pointer)?)?.into_owned()).filter(|text| !text.is_empty())
}

fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}

fn xml_body(request: Request, element: &str, content: &str) -> Request {
    request.content("application/xml", format!("<{element} xmlns=\"{NAMESPACE}\">{content}</{element}>").into_bytes())
}

async fn create_bucket(item: &Item<'_>) -> Outputs {
    let region = text_at(item.text("additionalFields"), "/region").or_else(|| item.client.setting("region"));
    // In the first region no body may say where the bucket is to be.
    match region.filter(|region| region != "us-east-1") {
        None => send(item, item.request()).await,
        Some(region) => {
            let content = format!("<LocationConstraint>{}</LocationConstraint>", xml_text(&region));
            send(item, xml_body(item.request(), "CreateBucketConfiguration", &content)).await
        }
    }
}

/// The source is a URL's path: what is encoded in it stays so.
async fn copy_file(item: &Item<'_>) -> Outputs {
    let (key, version) = match item.text("sourcePath").split_once("?versionId=") {
        None => (item.text("sourcePath"), String::new()),
        Some((key, version)) => (key, format!("?versionId={version}")),
    };
    let key: Vec<_> = key.split('%').map(segments).collect();
    let mut request = item.request().header("x-amz-copy-source", key.join("%") + &version);
    request.target.push_str(&segments(item.text("destinationPath").trim_start_matches('/')));
    let answer = item.client.document(request).await?;
    Ok(vec![output(at(&answer, "/CopyObjectResult").unwrap_or(&answer).to_owned())])
}

async fn head_file(item: &Item<'_>) -> Outputs {
    let response = item.client.success(item.request()).await?;
    let mut about = Members::new();
    push_quoted(about.push("Key"), item.text("fileKey"));
    for (name, header) in [("Size", "content-length"), ("ContentType", "content-type"), ("ETag", "etag"), ("LastModified", "last-modified")] {
        if let Some(value) = response.headers.get(header) {
            push_quoted(about.push(name), &value);
        }
    }
    Ok(vec![output(about.finish())])
}

fn objects(page: Part<'_>) -> Vec<&str> {
    page.at("/ListBucketResult/Contents").and_then(|rows| page.part(rows).elements()).unwrap_or_default()
}

/// A folder is an empty object whose key ends with a slash.
fn folder(object: &str) -> Option<String> {
    text_at(object, "/Key").filter(|key| key.ends_with('/') && at(object, "/Size") == Some("\"0\""))
}

fn files(page: Part<'_>) -> Vec<&str> {
    objects(page).into_iter().filter(|object| folder(object).is_none()).collect()
}

fn folders(page: Part<'_>) -> Vec<&str> {
    let own = text_at(page.text, "/ListBucketResult/Prefix");
    let is_below = |object: &&str| folder(object).is_some_and(|key| Some(key) != own);
    objects(page).into_iter().filter(is_below).collect()
}

async fn create_folder(item: &Item<'_>) -> Outputs {
    let parent = text_at(item.text("additionalFields"), "/parentFolderKey").unwrap_or_default();
    let mut request = item.request();
    request.target.extend(["/", &segments(&parent), &segments(item.text("folderName")), "/"]);
    send(item, request).await
}

/// Page by page, since a page has as many keys as one request deletes.
async fn delete_folder(item: &Item<'_>) -> Outputs {
    let (bucket, folder) = (item.text("bucketName"), item.text("folderKey"));
    let list = path("/{}?list-type=2&prefix={}", &[bucket, folder]);
    let (mut deleted, mut next) = (String::new(), String::new());
    loop {
        let page = item.client.document(Request::new(Method::Get, [list.as_str(), &next].concat())).await?;
        let keys: Vec<String> = objects(Part::of(&page)).into_iter().filter_map(|object| text_at(object, "/Key")).collect();
        if !keys.is_empty() {
            let gone = delete_keys(item, &keys).await?;
            deleted.extend([if deleted.is_empty() { "" } else { "," }, &gone]);
        }
        match text_at(&page, "/ListBucketResult/NextContinuationToken") {
            Some(token) => next = path("&continuation-token={}", &[&token]),
            None => break,
        }
    }
    if deleted.is_empty() {
        item.client.document(Request::new(Method::Delete, format!("/{}/{}", segments(bucket), segments(folder)))).await?;
        deleted = format!("{{\"Key\":{}}}", quote(folder));
    }
    Ok(vec![output(format!("{{\"deleted\":[{deleted}]}}"))])
}

/// The rows of what is gone, with commas between them.
async fn delete_keys(item: &Item<'_>, keys: &[String]) -> Result<String, Failure> {
    let mut content = String::new();
    for key in keys {
        content.extend(["<Object><Key>", &xml_text(key), "</Key></Object>"]);
    }
    let request = xml_body(item.request(), "Delete", &content);
    let digest = base64(&sha256(request.body.as_deref().unwrap_or_default()));
    // S3 wants a digest of this body besides the signature's.
    let answer = item.client.document(request.header("x-amz-checksum-sha256", digest)).await?;
    if let Some(error) = at(&answer, "/DeleteResult/Error/0") {
        let message = format!("`{}`: {}", text_at(error, "/Key").unwrap_or_default(), text_at(error, "/Message").unwrap_or_default());
        return Err(Failure::Rejected(Answer { status: 200, code: text_at(error, "/Code"), message, request_id: None }));
    }
    let deleted = at(&answer, "/DeleteResult/Deleted").and_then(elements).unwrap_or_default();
    Ok(deleted.join(","))
}

async fn upload_file(item: &Item<'_>) -> Outputs {
    let file = item.file("binaryPropertyName");
    let name = Some(item.text("fileName")).filter(|name| !name.is_empty()).or(file.as_ref().map(ItemFile::name)).ok_or_else(|| {
        let (pointer, label) = ("/fileName".to_owned(), "File Name".to_owned());
        Failure::InvalidParameters(vec![Problem { pointer, label, message: "expected a text, found nothing".to_owned() }])
    })?;
    let mut request = item.request();
    if let Some(parent) = text_at(item.text("additionalFields"), "/parentFolderKey") {
        request.target.extend(["/", &segments(&parent)]);
    }
    request.target.extend(["/", &segments(name)]);
    let tags = elements(item.text("tagsUi")).unwrap_or_default().into_iter();
    let tags = tags.map(|tag| [segments(&text_at(tag, "/key").unwrap_or_default()), segments(&text_at(tag, "/value").unwrap_or_default())].join("="));
    let tags = tags.collect::<Vec<_>>().join("&");
    if !tags.is_empty() {
        request = request.header("x-amz-tagging", tags);
    }
    let Some(file) = file else {
        return send(item, request.content("text/html", item.text("fileContent").as_bytes().to_vec())).await;
    };
    request = request.header("content-type", file.media_type().to_owned());
    match file.about.size {
        Some(size) if size > PART_BYTES => upload_parts(item, request, &file, size).await,
        _ => send(item, request.parts(vec![file.whole()])).await,
    }
}

/// Begins an upload with the headers of the object, puts its parts, and completes it. What fails is aborted: parts cost money.
async fn upload_parts(item: &Item<'_>, mut request: Request, file: &ItemFile, size: u64) -> Outputs {
    let target = request.target.clone();
    request.method = Method::Post;
    request.target.push_str("?uploads");
    let begun = item.client.document(request).await?;
    let id = text_at(&begun, "/InitiateMultipartUploadResult/UploadId").unwrap_or_default();
    let upload = format!("uploadId={}", segments(&id));
    let put = put_parts(item, &target, &upload, file, size).await;
    if put.is_err() {
        // What went wrong first is what is told.
        let _ = item.client.send(Request::new(Method::Delete, format!("{target}?{upload}"))).await;
    }
    put
}

async fn put_parts(item: &Item<'_>, target: &str, upload: &str, file: &ItemFile, size: u64) -> Outputs {
    let bytes = size.div_ceil(MAX_PARTS).max(PART_BYTES);
    let mut parts = String::new();
    for number in 1..=size.div_ceil(bytes) {
        let offset = (number - 1) * bytes;
        let part = Request::new(Method::Put, format!("{target}?partNumber={number}&{upload}"));
        let response = item.client.success(part.parts(vec![file.piece(offset, bytes.min(size - offset))])).await?;
        let tag = response.headers.get("etag").unwrap_or_default();
        // Writing to a `String` cannot fail.
        let _ = write!(parts, "<Part><ETag>{}</ETag><PartNumber>{number}</PartNumber></Part>", xml_text(&tag));
    }
    send(item, xml_body(Request::new(Method::Post, format!("{target}?{upload}")), "CompleteMultipartUpload", &parts)).await
}
