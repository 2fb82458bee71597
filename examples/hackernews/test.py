"""The node against its mock: python3 -B examples/test.py hackernews. What it asks is granted, or refused, as for any service."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from support import TARGET, nodule

HERE = pathlib.Path(__file__).resolve().parent
COMPONENT = TARGET / "hackernews.wasm"
# So that requests meet, if they can.
LATENCY_MS = 50


class HackerNews(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        command = [sys.executable, "-B", HERE / "mock-hackernews.py", folder.name, str(LATENCY_MS)]
        self.mock = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        self.url, certificate = self.mock.stdout.readline().split()
        # A proxy that answers for hn.algolia.com.
        self.reach = ["--proxy", self.url, "--ca", certificate]

    def end(self):
        self.mock.terminate()
        self.mock.wait()
        self.mock.stdout.close()

    def run_items(self, operation, items, *flags, status=0):
        file = self.folder / "items.jsonl"
        file.write_text("".join(json.dumps(item) + "\n" for item in items))
        done = nodule("run", COMPONENT, *operation.split("."), "--items", file, *self.reach, *flags, status=status)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def outputs(self, operation, item, *flags):
        results = self.run_items(operation, [item], "--allow-declared", *flags)
        return [result["json"] for result in results if "json" in result]

    def most(self):
        """How many requests were under way at once."""
        with urllib.request.urlopen(self.url + "/most", timeout=10) as answer:
            return json.load(answer)

    def test_it_asks_where_it_says_and_only_if_that_is_granted(self):
        (origin,) = json.loads(nodule("describe", COMPONENT, "--format", "json").stdout)["origins"]
        self.assertEqual(origin["url"], "https://hn.algolia.com")
        (refused,) = self.run_items("user.get", [{"username": "kite1"}], status=3)
        self.assertEqual(refused["error"]["kind"], "denied")
        self.assertIn("https://hn.algolia.com", refused["error"]["message"])
        granted = ["--allow-declared"], ["--allow", origin["url"]]
        for grant in granted:
            (user,) = self.run_items("user.get", [{"username": "kite1"}], *grant)
            self.assertEqual(user["json"], {"username": "kite1", "about": "Flies kites.", "karma": 42})

    def test_a_search_gives_a_page_or_all(self):
        fields = {"additionalFields": {"keyword": "kite", "tags": ["story", "front_page"]}}
        found = self.outputs("all.getAll", fields | {"returnAll": True})
        self.assertEqual([hit["objectID"] for hit in found], [str(n) for n in range(1, 43) if n % 4 in (0, 1)])
        self.assertEqual(self.outputs("all.getAll", fields | {"limit": 4, "page": 1}), found[4:8])
        self.assertEqual(len(self.outputs("all.getAll", {})), 100)
        self.assertEqual(len(self.outputs("all.getAll", {"returnAll": True})), 250)

    def test_an_article_comes_with_its_comments_or_without(self):
        bare, = self.outputs("article.get", {"articleId": "3"})
        whole, = self.outputs("article.get", {"articleId": "3", "additionalFields": {"includeComments": True}})
        self.assertEqual(whole["children"][0]["children"][0]["text"], "So it does.")
        self.assertEqual(bare, {name: value for name, value in whole.items() if name != "children"})
        (refused,) = self.run_items("article.get", [{"articleId": "4040"}], "--allow-declared", status=1)
        self.assertEqual(refused["error"]["message"], "Not Found")

    def test_the_front_page_has_its_articles_with_their_comments(self):
        articles = self.outputs("article.getFrontPage", {"limit": 20})
        self.assertEqual([article["id"] for article in articles], list(range(1, 21)))
        self.assertTrue(all(article["children"] for article in articles))

    def test_requests_of_the_last_item_are_under_way_together(self):
        nodule("run", COMPONENT, "article", "getFrontPage", "--param", "limit:=6", "--allow-declared", "--concurrency", "4", *self.reach)
        self.assertGreater(self.most(), 1)
        self.assertLessEqual(self.most(), 4)

    def test_no_more_requests_are_under_way_than_the_run_allows(self):
        results = self.run_items("article.getFrontPage", [{"limit": 6}] * 2, "--allow-declared", "--concurrency", "3")
        self.assertEqual(len([result for result in results if "json" in result]), 12)
        self.assertLessEqual(self.most(), 3)

    def test_the_recorded_cases_pass(self):
        self.assertNotIn("FAILED", nodule("check", COMPONENT, HERE / "cases").stdout)
