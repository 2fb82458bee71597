"""The node against a real Redmine: python3 -B examples/test.py redmine, once `setup` has installed it.

REDMINE_ISSUES says how many issues the listing has, REDMINE_FILE_MB how large the file is.
"""

import hashlib
import importlib.util
import json
import os
import pathlib
import unittest

from support import TARGET, Node, nodule

HERE = pathlib.Path(__file__).resolve().parent
# Other examples may have a module of this name, too.
about = importlib.util.spec_from_file_location("redmine_server", HERE / "server.py")
server = importlib.util.module_from_spec(about)
about.loader.exec_module(server)

COMPONENT = TARGET / "redmine.wasm"
ISSUES = int(os.environ.get("REDMINE_ISSUES", "230"))
FILE_MB = int(os.environ.get("REDMINE_FILE_MB", "16"))
KITES = {"projectId": "kites"}


class RedmineTest(unittest.TestCase):
    """All tests share a server, and each has issues of its own."""

    @classmethod
    def setUpClass(cls):
        cls.redmine = server.Redmine()
        cls.addClassCleanup(cls.redmine.stop)
        cls.node = Node(COMPONENT, cls.redmine.by_key)
        cls.addClassCleanup(cls.node.close)

    def one(self, operation, item, *flags, node=None):
        """What the one item gave."""
        (output,) = (node or self.node).outputs(tuple(operation.split(".")), [item], *flags)
        return output

    def failure(self, operation, item, *flags, node=None):
        results, _ = (node or self.node).run(tuple(operation.split(".")), [item], *flags, status=1)
        return results[0]["error"]

    def asked(self, command, operation, parameter, *flags):
        group, name = operation.split(".")
        done = nodule(command, COMPONENT, group, name, f"{operation}.{parameter}", "--credential", self.node.credential, *flags)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def issue(self, **more):
        return self.one("issue.create", KITES | {"subject": self.id()} | more)

    def as_user(self, key):
        node = Node(COMPONENT, self.redmine.by_key | {"apiKey": self.redmine.access[key]})
        self.addCleanup(node.close)
        return node

    def test_the_recorded_cases_pass(self):
        self.assertNotIn("FAILED", nodule("check", COMPONENT, HERE / "cases").stdout)

    def test_an_issue_is_made_changed_and_deleted(self):
        issue = self.issue(trackerId=2, priorityId=3, assignedToId="1", fixedVersionId="1", categoryId="1", dueDate="2099-01-01", watcherUserIds=[1])
        known = self.redmine.get(f"/issues/{issue['id']}.json")["issue"]
        self.assertEqual({name: known[name] for name in issue}, issue)
        names = [issue[name]["name"] for name in ("tracker", "priority", "assigned_to", "fixed_version", "category")]
        self.assertEqual(names, ["Feature", "High", "Redmine Admin", "1.0", "Tails"])

        # By the URL of its page, as by its number.
        url = f"{self.redmine.url}/issues/{issue['id']}"
        self.assertEqual(self.one("issue.update", {"issueId": url, "statusId": 5, "assignedToId": None, "description": "Gone 🪁"}), {})
        self.one("issue.addNote", {"issueId": str(issue["id"]), "notes": "Closed", "privateNotes": True})
        issue = self.one("issue.get", {"issueId": str(issue["id"]), "include": ["journals", "watchers"]})
        self.assertEqual((issue["status"]["name"], issue["description"], issue["watchers"][0]["id"]), ("Closed", "Gone 🪁", 1))
        self.assertNotIn("assigned_to", issue)
        self.assertEqual([(journal["notes"], journal["private_notes"]) for journal in issue["journals"]], [("", False), ("Closed", True)])

        self.assertEqual(self.one("issue.delete", {"issueId": str(issue["id"])}), {})
        self.assertEqual(self.failure("issue.get", {"issueId": str(issue["id"])})["status"], 404)

    def test_an_update_is_the_same_twice(self):
        item = {"issueId": str(self.issue()["id"]), "doneRatio": 40}
        for _ in range(2):
            self.one("issue.update", item)
        self.assertEqual(len(self.one("issue.get", {"issueId": item["issueId"], "include": ["journals"]})["journals"]), 1)

    def test_a_project_is_made_changed_and_deleted(self):
        item = {"name": "Wind", "identifier": "wind", "isPublic": False, "parentId": "1", "trackerIds": [1, 3], "customFields": {"9": "ACME"}}
        project = self.one("project.create", item | {"enabledModuleNames": ["issue_tracking", "wiki"]})
        self.assertEqual((project["parent"]["name"], project["is_public"], project["custom_fields"][0]["value"]), ("Kites", False, "ACME"))
        self.one("project.update", {"projectId": "wind", "description": "Where it blows"})
        project = self.one("project.get", {"projectId": "wind", "include": ["trackers", "enabled_modules"]})
        self.assertEqual(project["description"], "Where it blows")
        self.assertEqual([tracker["id"] for tracker in project["trackers"]], [1, 3])
        self.assertEqual({module["name"] for module in project["enabled_modules"]}, {"issue_tracking", "wiki"})
        found = self.node.outputs(("project", "getAll"), [{"returnAll": True, "name": "~wind"}])
        self.assertEqual([one["identifier"] for one in found], ["wind"])
        self.one("project.delete", {"projectId": str(project["id"])})
        self.assertEqual(self.failure("project.get", {"projectId": "wind"})["status"], 404)

    def test_time_is_logged_on_an_issue_and_on_a_project(self):
        issue = str(self.issue()["id"])
        on_issue = self.one("timeEntry.create", {"issueId": issue, "hours": 1.5, "activityId": 9, "spentOn": "2025-06-30", "comments": "Tail"})
        on_project = self.one("timeEntry.create", {"logOn": "project", "projectId": "1", "hours": 0.25, "activityId": 8})
        self.assertEqual((on_issue["issue"]["id"], on_issue["hours"], on_issue["spent_on"]), (int(issue), 1.5, "2025-06-30"))
        self.assertNotIn("issue", on_project)
        self.one("timeEntry.update", {"timeEntryId": on_issue["id"], "hours": 2, "comments": None})
        changed = self.one("timeEntry.get", {"timeEntryId": on_issue["id"]})
        self.assertEqual((changed["hours"], changed["comments"]), (2.0, ""))
        listed = self.node.outputs(("timeEntry", "getAll"), [{"returnAll": True, "issueId": issue, "userId": "me", "from": "2025-01-01"}])
        self.assertEqual(listed, [changed])
        for entry in (on_issue, on_project):
            self.one("timeEntry.delete", {"timeEntryId": entry["id"]})
        self.assertEqual(self.node.outputs(("timeEntry", "getAll"), [{"returnAll": True, "issueId": issue}]), [])

    def test_custom_fields_are_columns(self):
        columns = {column["displayName"]: column for column in self.asked("fields", "issue.create", "customFields")}
        self.assertEqual({name: column["kind"]["type"] for name, column in columns.items()}, {
            "Colour": "text", "Wingspan": "integer", "Weight": "number", "First Flight": "date", "Waterproof": "choice", "Wind": "choice",
            "Materials": "chooseMany", "Story": "multiline",
        })
        values = {"Colour": "red", "Wingspan": 180, "Weight": 0.5, "First Flight": "2025-06-30", "Waterproof": "1", "Wind": "Breeze", "Materials": ["Silk", "Bamboo"], "Story": "a\nb"}
        issue = self.issue(customFields={columns[name]["name"]: value for name, value in values.items()})
        stored = {field["name"]: field["value"] for field in issue["custom_fields"]}
        self.assertEqual(stored, values | {"Wingspan": "180", "Weight": "0.5"})

        self.one("issue.update", {"issueId": str(issue["id"]), "customFields": {columns["Colour"]["name"]: None, columns["Materials"]["name"]: ["Paper"]}})
        issue = self.one("issue.get", {"issueId": str(issue["id"])})
        stored = {field["name"]: field["value"] for field in issue["custom_fields"]}
        self.assertEqual((stored["Colour"], stored["Materials"], stored["Wind"]), ("", ["Paper"], "Breeze"))
        refused = self.failure("issue.update", {"issueId": str(issue["id"]), "customFields": {columns["Wingspan"]["name"]: "wide"}})
        self.assertEqual(refused["message"], "Wingspan is not a number")

    def test_the_form_asks_for_what_the_server_has(self):
        for parameter, flags, expected in [
            ("projectId", ["--search", "kit"], ["Kites"]),
            ("trackerId", [], ["Bug", "Feature", "Support"]),
            ("statusId", [], ["New", "In Progress", "Resolved", "Feedback", "Closed", "Rejected"]),
            ("priorityId", [], ["Low", "Normal", "High", "Urgent", "Immediate"]),
            ("assignedToId", ["--param", "projectId=kites"], ["Rita Reporter", "Redmine Admin"]),
            ("fixedVersionId", ["--param", "projectId=kites"], ["1.0", "2.0"]),
            ("categoryId", ["--param", "projectId=kites"], ["Tails"]),
        ]:
            choices = self.asked("choices", "issue.create", parameter, *flags)
            self.assertEqual([choice["label"] for choice in choices], expected, parameter)
        choices = self.asked("choices", "timeEntry.create", "activityId")
        self.assertEqual([choice["label"] for choice in choices], ["Design", "Development"])

    def test_a_listing_goes_to_its_end(self):
        project = self.one("project.create", {"name": "Many", "identifier": "many"})
        made = self.node.outputs(("issue", "create"), [{"projectId": "many", "subject": f"Issue {n}"} for n in range(ISSUES)])
        self.assertEqual(len(made), ISSUES)
        listed = self.node.outputs(("issue", "getAll"), [{"returnAll": True, "projectId": str(project["id"]), "sort": "id"}])
        self.assertEqual([issue["id"] for issue in listed], sorted(issue["id"] for issue in made))
        part = self.node.outputs(("issue", "getAll"), [{"projectId": "many", "offset": 5, "limit": 3, "sort": "id"}])
        self.assertEqual(part, listed[5:8])
        one = made[0]["id"]
        self.one("issue.update", {"issueId": str(one), "statusId": 5})
        closed = self.node.outputs(("issue", "getAll"), [{"returnAll": True, "projectId": "many", "statusId": "closed"}])
        self.assertEqual([issue["id"] for issue in closed], [one])

    def test_a_file_goes_up_and_comes_down(self):
        piece = bytes(range(251)) * 4178
        folder = pathlib.Path(self.node.folder.name)
        sent = hashlib.sha256()
        with (folder / "kite ä.bin").open("wb") as file:
            for _ in range(FILE_MB):
                file.write(piece)
                sent.update(piece)
        issue = str(self.issue()["id"])
        item = {"issueId": issue, "description": "The tree", "notes": "See there", "$files": {"data": {"path": "kite ä.bin", "mediaType": "image/x-kite"}}}
        upload = self.one("attachment.upload", item, "--files-dir", folder)
        issue = self.one("issue.get", {"issueId": issue, "include": ["attachments", "journals"]})
        (attachment,) = issue["attachments"]
        self.assertEqual([attachment[name] for name in ("id", "filename", "content_type", "description")], [upload["id"], "kite ä.bin", "image/x-kite", "The tree"])
        self.assertEqual(attachment["filesize"], FILE_MB * len(piece))
        self.assertEqual(issue["journals"][0]["notes"], "See there")

        attached = {"attachmentId": str(upload["id"])}
        self.assertEqual(self.one("attachment.get", attached), attachment)
        results, _ = self.node.run(("attachment", "download"), [attached], "--output-files", folder / "out")
        file = results[0]["files"]["data"]
        self.assertEqual((file["sha256"], file["fileName"]), (sent.hexdigest(), "kite ä.bin"))
        self.one("attachment.delete", attached)
        self.assertEqual(self.failure("attachment.get", attached)["status"], 404)

    def test_a_token_makes_the_attachment_of_a_new_issue(self):
        item = {"fileName": "note.txt", "$files": {"data": {"base64": "SGk=", "mediaType": "text/plain"}}}
        upload = self.one("attachment.upload", item, "--files-dir", self.node.folder.name)
        issue = self.issue(uploads={"upload": [{"token": upload["token"], "fileName": "renamed.txt", "description": "Hi"}]})
        known = self.redmine.get(f"/issues/{issue['id']}.json?include=attachments")["issue"]["attachments"]
        self.assertEqual([(one["filename"], one["filesize"], one["description"]) for one in known], [("renamed.txt", 2, "Hi")])

    def test_what_redmine_refuses_it_says(self):
        dates = {"startDate": "2025-06-30", "dueDate": "2025-06-01", "estimatedHours": -1}
        refused = self.failure("issue.create", KITES | {"subject": "Torn"} | dates)
        self.assertEqual((refused["status"], refused["message"]), (422, "Estimated time is invalid; Due date must be greater than start date"))
        stranger = self.as_user("strangerKey")
        self.assertEqual(self.failure("issue.create", KITES | {"subject": "Torn"}, node=stranger)["status"], 403)
        self.assertEqual(self.failure("issue.get", {"issueId": "999999"})["message"], "HTTP 404")

    def test_what_the_form_needs_is_named_and_nothing_is_sent(self):
        results, told = self.node.run(("issue", "create"), [KITES | {"statusID": 1}], status=1)
        problems = {problem["label"]: problem["message"] for problem in results[0]["error"]["problems"]}
        self.assertEqual(problems["Subject"], "expected a text, found nothing")
        self.assertIn("did you mean `statusId`?", problems["statusID"])
        self.assertIn("0 requests", told)

    def test_a_user_with_a_password_is_as_good_as_a_key(self):
        node = Node(COMPONENT, self.redmine.by_password)
        self.addCleanup(node.close)
        nodule("check-credential", COMPONENT, "--credential", node.credential)
        self.assertEqual(self.one("project.get", {"projectId": "kites"}, node=node)["name"], "Kites")
        nodule("check-credential", COMPONENT, "--credential", self.node.credential)

    def test_a_wrong_key_and_a_wrong_password_are_refused(self):
        for wrong in (self.redmine.by_key | {"apiKey": "0" * 40}, self.redmine.by_password | {"password": "wrong"}):
            node = Node(COMPONENT, wrong)
            self.addCleanup(node.close)
            nodule("check-credential", COMPONENT, "--credential", node.credential, status=1)
            # Whoever Redmine does not know may still read what is public.
            self.assertEqual(self.failure("issue.create", KITES | {"subject": "Who"}, node=node)["kind"], "unauthenticated")

    def test_a_certificate_of_its_own_has_to_be_trusted(self):
        proxy = server.TlsProxy(self.redmine.url, pathlib.Path(self.node.folder.name))
        self.addCleanup(proxy.stop)
        node = Node(COMPONENT, self.redmine.by_key | {"baseUrl": proxy.url})
        self.addCleanup(node.close)
        project = {"projectId": "kites"}
        refused = self.failure("project.get", project, "--retries", 0, node=node)
        self.assertIn("certificate", refused["message"])
        self.assertEqual(self.one("project.get", project, "--ca", proxy.certificate, node=node)["name"], "Kites")
        self.assertEqual(self.one("project.get", project, "--insecure-origin", proxy.url, node=node)["name"], "Kites")
        policy = node.write("policy.toml", f'[tls]\nca = ["{proxy.certificate}"]\n')
        self.assertEqual(self.one("project.get", project, "--policy", policy, node=node)["name"], "Kites")
        issue = self.one("issue.create", KITES | {"subject": "By TLS"}, "--ca", proxy.certificate, node=node)
        self.assertEqual(self.redmine.get(f"/issues/{issue['id']}.json")["issue"]["subject"], "By TLS")
