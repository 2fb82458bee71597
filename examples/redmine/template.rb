# Makes the content of the template, in `rails runner`: who logs in, a project, and a custom field of each kind.
require 'json'
require 'securerandom'

Setting.rest_api_enabled = '1'
# In KiB.
Setting.attachment_max_size = (2 * 1024 * 1024).to_s
# Else it asks for a file of translations in each request of an unknown language.
Setting.default_language = 'en'

def with_password(user, password)
  user.password = user.password_confirmation = password
  user.must_change_passwd = false
  user.save!
  user
end

password = SecureRandom.hex(12)
admin = with_password(User.find_by!(login: 'admin'), password)
# One reports issues and may do nothing else, the other is known and may only read.
reporter = with_password(User.new(login: 'reporter', firstname: 'Rita', lastname: 'Reporter', mail: 'reporter@example.com'), password)

stranger = with_password(User.new(login: 'stranger', firstname: 'Sam', lastname: 'Stranger', mail: 'stranger@example.com'), password)
# By default, who is no member may add issues.
Role.non_member.update!(permissions: %i[view_issues])

project = Project.new(name: 'Kites', identifier: 'kites', is_public: true)
project.enabled_module_names = %w[issue_tracking time_tracking]
project.trackers = Tracker.all
project.save!
Member.create!(principal: reporter, project: project, roles: [Role.find_by!(name: 'Reporter')])
Member.create!(principal: admin, project: project, roles: [Role.find_by!(name: 'Manager')])
%w[1.0 2.0].each { |name| project.versions.create!(name: name) }
project.issue_categories.create!(name: 'Tails')

fields = [
  ['Colour', 'string', {}],
  ['Wingspan', 'int', {}],
  ['Weight', 'float', {}],
  ['First Flight', 'date', {}],
  ['Waterproof', 'bool', {}],
  ['Wind', 'list', { possible_values: %w[Calm Breeze Storm] }],
  ['Materials', 'list', { possible_values: %w[Paper Silk Bamboo], multiple: true }],
  ['Story', 'text', {}]
]
fields.each do |name, format, more|
  IssueCustomField.create!({ name: name, field_format: format, is_for_all: true, trackers: Tracker.all }.merge(more))
end
# Of no issue, so that no form of an issue has it.
ProjectCustomField.create!(name: 'Sponsor', field_format: 'string')

File.open(File.join(ENV.fetch('REDMINE_INSTANCE'), 'access.json'), File::CREAT | File::WRONLY | File::TRUNC, 0o600) do |file|
  file.write({ apiKey: admin.api_key, reporterKey: reporter.api_key, strangerKey: stranger.api_key, user: 'admin', password: password }.to_json)
end
