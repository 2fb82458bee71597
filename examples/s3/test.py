"""Tests the S3 node against moto, and against s3s-fs, which verifies signatures: python3 -B examples/test.py s3

NODULE_S3_BYTES=1000000000 and NODULE_S3_OBJECTS=1000 make the large file and the objects behind faults as large and as many as the
README says; else they are small.
"""

import hashlib
import json
import os
import pathlib
import random
import sys
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from faults import by_size, once_behind  # noqa: E402
from named import Named  # noqa: E402
from servers import COMPONENT, Store, build  # noqa: E402
from support import HERE, measured, nodule, workflows  # noqa: E402

LARGE_BYTES = int(os.environ.get("NODULE_S3_BYTES", "20000000"))
OBJECTS = int(os.environ.get("NODULE_S3_OBJECTS", "60"))
# A node in Rust, compiled, and the host take about 60 MB with a file of any size.
MEMORY_BYTES = 150_000_000
DONE = {"success": True}
FILE = {"data": {"path": "given.bin", "mediaType": "text/plain"}}


def setUpModule():
    build()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Bound:
    """A server for the tests of a class. `one` runs one item to its outputs, `refused` to its failure."""

    server, server_flags = None, []

    @classmethod
    def setUpClass(cls):
        cls.store = Store(cls.server, *cls.server_flags)
        cls.out = cls.store.path / "out"
        cls.flags = ["--files-dir", cls.store.path, "--output-files", cls.out]

    @classmethod
    def tearDownClass(cls):
        cls.store.stop()

    def one(self, group, operation, **item):
        results, _ = self.store.node.run((group, operation), [item], *self.flags)
        return [result["json"] for result in results if "json" in result]

    def refused(self, group, operation, node=None, **item):
        results, _ = (node or self.store.node).run((group, operation), [item], *self.flags, status=1)
        return results[0]["error"]

    def put(self, key, data, **item):
        self.store.write("given.bin", data)
        self.assertEqual(self.one("file", "upload", bucketName="kites", fileName=key, **{"$files": FILE}, **item), [DONE])

    def downloaded(self, key, **item):
        results, _ = self.store.node.run(("file", "download"), [{"bucketName": "kites", "fileKey": key} | item], *self.flags)
        return pathlib.Path(results[0]["files"]["data"]["path"]).read_bytes()

    def keys(self, group="file", operation="getAll", **item):
        return [row["Key"] for row in self.one(group, operation, bucketName="kites", **item)]


class Operations(Bound):
    """What both servers can do."""

    def test_1_buckets_are_made_listed_and_removed(self):
        for name in ("kites", "other"):
            self.assertEqual(self.one("bucket", "create", name=name), [DONE])
        self.assertEqual([row["Name"] for row in self.one("bucket", "getAll", returnAll=True)], ["kites", "other"])
        self.assertEqual([row["Name"] for row in self.one("bucket", "getAll", limit=1)], ["kites"])
        self.assertEqual(self.one("bucket", "delete", name="other"), [DONE])
        self.assertEqual(self.refused("bucket", "delete", name="other")["code"], "NoSuchBucket")

    def test_2_objects_of_any_key_are_put_read_copied_and_removed(self):
        keys = ["plain.txt", "days/in the rain/é+&=?#%41.txt", "days/" + "x" * 100, "~/'*'!()", "🪁"]
        for key in keys:
            with self.subTest(key):
                data = key.encode() * 100
                self.put(key, data)
                known = self.one("file", "head", bucketName="kites", fileKey=key)[0]
                self.assertEqual((known["Key"], known["Size"]), (key, str(len(data))))
                self.assertEqual(self.downloaded(key), data)
                self.assertEqual(self.downloaded(key, range="bytes=3-9"), data[3:10])
                source = "/kites/" + key.replace("%", "%25")
                copied = self.one("file", "copy", sourcePath=source, destinationPath=f"/kites/copies/{key}")
                self.assertIn("ETag", copied[0])
                self.assertEqual(self.downloaded(f"copies/{key}"), data)
        self.assertEqual(self.keys("bucket", "search", additionalFields={"prefix": "copies/days/"}), sorted(f"copies/{key}" for key in keys[1:3]))
        for key in keys:
            self.assertEqual(self.one("file", "delete", bucketName="kites", fileKey=key), [DONE])
        self.assertEqual(self.keys(), [])
        self.assertEqual(self.refused("file", "head", bucketName="kites", fileKey="plain.txt")["status"], 404)
        error = self.refused("file", "download", bucketName="kites", fileKey="plain.txt")
        self.assertEqual((error["kind"], error["status"], error["code"]), ("rejected", 404, "NoSuchKey"))
        deleted = self.one("folder", "delete", bucketName="kites", folderKey="copies/")[0]["deleted"]
        self.assertEqual(sorted(row["Key"] for row in deleted), sorted(f"copies/{key}" for key in keys))
        self.assertEqual(self.keys("bucket", "search"), [])

    def test_3_a_text_is_an_object(self):
        self.one("file", "upload", bucketName="kites", binaryData=False, fileName="a.html", fileContent="<p>é",
                 additionalFields={"parentFolderKey": "texts"})
        self.assertEqual(self.downloaded("texts/a.html"), "<p>é".encode())
        self.assertEqual(self.keys(options={"folderKey": "texts/"}), ["texts/a.html"])

    def test_4_the_credential_is_checked(self):
        nodule("check-credential", COMPONENT, "--credential", self.store.node.credential)


class Moto(Operations, unittest.TestCase):
    server = "moto"

    def test_5_pages_are_turned_as_far_as_rows_are_wanted(self):
        items = [{"bucketName": "kites", "binaryData": False, "fileName": f"many/{n:02}", "fileContent": "x"} for n in range(10)]
        self.store.node.outputs(("file", "upload"), items)
        many = [item["fileName"] for item in items]
        folder = {"options": {"folderKey": "many/"}}
        self.assertEqual(self.keys(returnAll=True, **folder), many)
        self.assertEqual(self.keys(limit=7, **folder), many[:7])
        self.assertEqual(self.keys("bucket", "search", returnAll=True, additionalFields={"prefix": "many/"}), many)
        self.assertEqual(self.keys("bucket", "search", limit=4, additionalFields={"prefix": "many/", "startAfter": "many/02"}), many[3:7])
        deleted = self.one("folder", "delete", bucketName="kites", folderKey="many/")[0]["deleted"]
        self.assertEqual([row["Key"] for row in deleted], many)

    def test_6_a_folder_is_an_empty_object(self):
        for name, parent in (("days", ""), ("rain", "days/")):
            fields = {"parentFolderKey": parent} if parent else {}
            self.assertEqual(self.one("folder", "create", bucketName="kites", folderName=name, additionalFields=fields), [DONE])
        self.put("days/empty.txt", b"")
        self.assertEqual(self.keys("folder", options={"folderKey": "days/"}), ["days/rain/"])
        self.assertEqual(self.keys(options={"folderKey": "days/"}), ["days/empty.txt"])
        self.assertEqual(len(self.one("folder", "delete", bucketName="kites", folderKey="days/")[0]["deleted"]), 3)

    def test_7_what_an_upload_says_of_its_object_arrives(self):
        self.put("said.txt", b"x", tagsUi={"tagsValues": [{"key": "a b", "value": "c+d=e"}]},
                 additionalFields={"storageClass": "standardIA", "acl": "publicRead"})
        row = self.one("bucket", "search", bucketName="kites", additionalFields={"prefix": "said"})[0]
        self.assertEqual(row["StorageClass"], "STANDARD_IA")
        with urllib.request.urlopen(f"{self.store.url}/kites/said.txt?tagging") as answer:
            self.assertIn("<Key>a b</Key><Value>c+d=e</Value>", answer.read().decode().replace("\n", "").replace(" <", "<"))


class Strict(Operations, unittest.TestCase):
    server = "s3s-fs"

    def test_5_a_wrong_secret_is_refused(self):
        node = self.store.bound(self.store.url, secretAccessKey="wrong-0123456789-0123456789")
        self.addCleanup(node.close)
        error = self.refused("file", "getAll", node=node, bucketName="kites")
        self.assertEqual((error["kind"], error["status"], error["code"]), ("unauthenticated", 403, "SignatureDoesNotMatch"))
        nodule("check-credential", COMPONENT, "--credential", node.credential, status=1)

    def test_6_another_key_is_refused(self):
        node = self.store.bound(self.store.url, accessKeyId="AKIAOTHER")
        self.addCleanup(node.close)
        self.assertEqual(self.refused("bucket", "getAll", node=node)["kind"], "unauthenticated")


def made(seed, size):
    """The bytes of an object."""
    return random.Random(seed).randbytes(size)


class Large(Bound, unittest.TestCase):
    """One file that the node never sees, in parts."""

    server = "s3s-fs"

    def measured(self, operation, item):
        """A run's seconds and the most memory that it had."""
        arguments = self.store.node.command(("file", operation), [item], *self.flags, "--output", self.store.path / "results")
        seconds, most = measured(*arguments)
        return json.loads((self.store.path / "results").read_text()), seconds, most

    def test_a_large_file_goes_up_in_parts_and_comes_down(self):
        self.one("bucket", "create", name="kites")
        digest, left, piece = hashlib.sha256(), LARGE_BYTES, made(1, 1_000_000)
        with (self.store.path / "given.bin").open("wb") as file:
            while left > 0:
                part = piece[:left]
                file.write(part)
                digest.update(part)
                left -= len(part)
                piece = piece[-1:] + piece[:-1]
        item = {"bucketName": "kites", "fileName": "large", "$files": FILE}
        _, up_s, up_bytes = self.measured("upload", item)
        known = self.one("file", "head", bucketName="kites", fileKey="large")[0]
        self.assertEqual(known["Size"], str(LARGE_BYTES))
        parts = -(-LARGE_BYTES // 8_388_608)
        self.assertTrue(known["ETag"].endswith(f'-{parts}"'), known)
        result, down_s, down_bytes = self.measured("download", {"bucketName": "kites", "fileKey": "large"})
        self.assertEqual(result["files"]["data"]["sha256"], digest.hexdigest())
        print(f"{LARGE_BYTES} bytes in {parts} parts: up {up_s:.1f} s, {up_bytes // 1_000_000} MB of memory; "
              f"down {down_s:.1f} s, {down_bytes // 1_000_000} MB")
        self.assertLess(max(up_bytes, down_bytes), MEMORY_BYTES)


class Faults(Bound, unittest.TestCase):
    """Connections break, and every object is whole all the same."""

    server = "s3s-fs"

    def test_every_object_has_its_digest_after_faults(self):
        self.one("bucket", "create", name="kites")
        sizes = random.Random(7)
        data = {f"{n:04}": made(n, sizes.randrange(60_000)) for n in range(OBJECTS)}
        for key, content in data.items():
            self.store.write(key, content)
        faulty, node = self.store.behind(by_size(seed=3, chance=0.08), self)
        flags = [*self.flags, "--concurrency", 8, "--retries", 20, "--item-time", "10m"]

        def run(operation, items):
            journal = self.store.path / f"{operation}.sqlite"
            before = faulty.faults
            results, told = node.run(("file", operation), items, *flags, "--journal", journal)
            broken, told = faulty.faults - before, "; ".join(told.strip().splitlines()[-2:])
            print(f"{operation} behind {broken} broken connections: {told}")
            self.assertGreaterEqual(broken, OBJECTS / 20)
            return results

        run("upload", [{"bucketName": "kites", "fileName": key, "$files": {"data": {"path": key}}} for key in data])
        stored = {key: sha256((self.store.root / "kites" / key).read_bytes()) for key in data}
        self.assertEqual(stored, {key: sha256(content) for key, content in data.items()})
        results = run("download", [{"bucketName": "kites", "fileKey": key} for key in data])
        received = {result["json"]["fileName"]: result["files"]["data"]["sha256"] for result in results}
        self.assertEqual(received, stored)


class Aborts(Bound, unittest.TestCase):
    server = "moto"

    def test_an_upload_in_parts_is_whole_or_leaves_nothing(self):
        self.one("bucket", "create", name="kites")
        self.store.write("given.bin", made(2, 20_000_000))
        item = {"bucketName": "kites", "fileName": "large", "$files": FILE}
        # The second part breaks off.
        faulty, node = self.store.behind(once_behind(12_000_000), self)
        results, _ = node.run(("file", "upload"), [item], *self.flags, "--retries", 0, status=1)
        self.assertEqual((results[0]["error"]["kind"], faulty.faults), ("unavailable", 1))
        with urllib.request.urlopen(f"{self.store.url}/kites?uploads") as answer:
            self.assertNotIn("<UploadId>", answer.read().decode())
        self.assertEqual(self.keys(), [])
        faulty, node = self.store.behind(once_behind(12_000_000), self)
        node.run(("file", "upload"), [item], *self.flags)
        self.assertEqual(faulty.faults, 1)
        self.assertEqual(sha256(self.downloaded("large")), sha256(made(2, 20_000_000)))


class Hosts(Bound, unittest.TestCase):
    """The bucket stands in the host's name, and in the signature. A proxy is AWS."""

    endpoint = "s3.eu-central-1.amazonaws.com"
    server, server_flags = "s3s-fs", ["--domain", endpoint]

    def test_a_bucket_may_stand_in_the_hosts_name(self):
        proxy = Named(self.store.path, int(self.store.url.rsplit(":")[-1]), [self.endpoint, f"*.{self.endpoint}"])
        self.addCleanup(proxy.stop)
        node = self.store.bound(f"https://{self.endpoint}", region="eu-central-1", forcePathStyle=False)
        self.addCleanup(node.close)
        flags = [*self.flags, "--proxy", proxy.url, "--ca", proxy.ca]
        bucket = {"bucketName": "kites"}
        upload = (("file", "upload"), [bucket | {"fileName": "a b/é.txt", "binaryData": False, "fileContent": "x"}])
        (refused,), _ = node.run(*upload, *flags, status=3)
        self.assertIn("nobody granted it", refused["error"]["message"])
        flags.append("--allow-declared")
        for operation, item in ((("bucket", "create"), {"name": "kites"}), (upload[0], upload[1][0])):
            self.assertEqual(node.outputs(operation, [item], *flags), [DONE])
        self.assertEqual((self.store.root / "kites/a b/é.txt").read_text(), "x")
        self.assertEqual([row["Key"] for row in node.outputs(("bucket", "search"), [bucket], *flags)], ["a b/é.txt"])
        self.assertEqual(proxy.hosts, {f"kites.{self.endpoint}"})


class Cases(unittest.TestCase):
    def test_the_recorded_cases_pass(self):
        self.assertNotIn("FAILED", nodule("check", COMPONENT, HERE / "s3/cases").stdout)


class Workflows(unittest.TestCase):
    def test_those_of_n8ns_node_send_the_same(self):
        workflows(self, "s3")


if __name__ == "__main__":
    unittest.main()
