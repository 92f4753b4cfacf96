PRAGMA application_id = 1466460525;
PRAGMA user_version = 3;
CREATE TABLE answer (
    id INTEGER PRIMARY KEY,
    lookup BLOB NOT NULL,
    receipt INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 1), content TEXT NOT NULL, seal BLOB NOT NULL) STRICT;
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    stable_id BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    pinned INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    title BLOB NOT NULL,
    attributes BLOB NOT NULL
) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE data_key (version INTEGER PRIMARY KEY, key_id BLOB NOT NULL) STRICT;
CREATE TABLE entry (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    receipt INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    place TEXT NOT NULL,
    format INTEGER NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TABLE feedback (id INTEGER PRIMARY KEY, receipt INTEGER NOT NULL, time_ms INTEGER NOT NULL, signal TEXT NOT NULL) STRICT;
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sequence INTEGER NOT NULL,
    receipts INTEGER NOT NULL,
    hash BLOB NOT NULL,
    key_id BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    position INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    state INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_ms INTEGER NOT NULL) STRICT;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    state INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    next_attempt_ms INTEGER,
    bytes INTEGER NOT NULL,
    idempotency BLOB NOT NULL,
    machine BLOB NOT NULL,
    request BLOB NOT NULL
) STRICT;
CREATE TABLE rotation (
    place INTEGER PRIMARY KEY,
    row_done INTEGER NOT NULL,
    row_last INTEGER NOT NULL,
    rows_done INTEGER NOT NULL,
    rows_unreadable INTEGER NOT NULL
) STRICT;
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL, seal BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX answer_conversation ON answer (conversation);
CREATE INDEX answer_expires ON answer (expires_ms);
CREATE UNIQUE INDEX answer_lookup ON answer (lookup);
CREATE INDEX answer_receipt ON answer (receipt);
CREATE INDEX conversation_listed ON conversation (pinned, updated_ms, id);
CREATE UNIQUE INDEX conversation_stable ON conversation (stable_id);
CREATE INDEX entry_opened ON entry (time_ms) WHERE kind = 'opened';
CREATE UNIQUE INDEX entry_receipt ON entry (receipt, kind) WHERE receipt > 0;
CREATE INDEX feedback_receipt ON feedback (receipt);
CREATE INDEX message_draft ON message (id) WHERE state = 1;
CREATE UNIQUE INDEX message_place ON message (conversation, position);
CREATE INDEX outbox_conversation ON outbox (conversation, id);
INSERT INTO checkpoint VALUES (1, '{"sequence":2,"receipts":1,"hash":"b69fe606383cae12051065ee97e76468900db24ea4b3fa22549d79063ed35a1f","time_ms":1795420800001,"lost":false,"totals":{"receipts":1,"answers":{"on_device":1,"system_model":0,"own_device":0,"organisation":0,"public_cloud":0},"cancelled":0,"failed":0,"denied":0,"deferred":0,"interrupted":0,"unfinished":0,"bytes_out":0,"bytes_out_uncertain":0,"bytes_in":0,"redacted":{},"personal_as_is":0,"tokens_in":41,"tokens_out":120,"millijoules":5300}}', X'DB004141403F3A8AF0FD5DF831FD0841374D6BA0110D79BE24224E0062BD9EEA');
INSERT INTO entry VALUES (3, 'pruned', 0, 1795420800001, '-', '-', 1, '{"sequence":2,"receipts":1,"hash":"b69fe606383cae12051065ee97e76468900db24ea4b3fa22549d79063ed35a1f"}', X'77EB7E364F029061E68BF25B83F0B411B537372599F938A02681E989DD2CA824');
INSERT INTO entry VALUES (4, 'opened', 2, 1795420800002, '-', '-', 1, '{"request":"request-2","task":"chat","class":"personal","rules":["app:personal-stays-or-is-redacted"],"findings":{"email":1},"planned":[{"place":{"kind":"on_device","model":"SmolLM2-135M-Instruct","variant":"q4_1","hash":"abababababababababababababababababababababababababababababababab"},"rules":["app:phone-first"]},{"place":{"kind":"remote","endpoint":"cloud-eu","trust":"public_cloud","model":"large-1"},"sent":"redacted","bytes_out_max":512,"rules":["app:cloud-when-redacted","user:cloud"]}]}', X'1B4A70B93144DB17D974EE155A12BED2F3738996AF934E1E8BD5EDC0D9A1F0B3');
INSERT INTO entry VALUES (5, 'closed', 2, 1795420800002, 'answered', 'public_cloud', 1, '{"outcome":"answered","attempts":[{"place":{"kind":"on_device","model":"SmolLM2-135M-Instruct","variant":"q4_1","hash":"abababababababababababababababababababababababababababababababab"},"ended":"failed","error":"out_of_memory","rules":["app:phone-first"],"milliseconds":900},{"place":{"kind":"remote","endpoint":"cloud-eu","trust":"public_cloud","model":"large-1"},"sent":"redacted","ended":"answered","rules":["app:cloud-when-redacted","user:cloud"],"milliseconds":640,"bytes_out":498,"bytes_in":2210}],"redacted":{"email":1},"tokens":{"input":41,"output":120},"latency":{"queue_ms":2,"first_token_ms":110,"total_ms":912},"energy":{"millijoules":5300,"method":"cpu-seconds-1"}}', X'212A5F1395A1768E3243B8C353C22FB8534C58D89241652765E54D12CF69BCE9');
INSERT INTO entry VALUES (6, 'opened', 3, 1795420800003, '-', '-', 1, '{"request":"request-3","task":"chat","class":"personal","rules":["app:personal-stays-or-is-redacted"],"findings":{"email":1},"planned":[{"place":{"kind":"on_device","model":"SmolLM2-135M-Instruct","variant":"q4_1","hash":"abababababababababababababababababababababababababababababababab"},"rules":["app:phone-first"]},{"place":{"kind":"remote","endpoint":"cloud-eu","trust":"public_cloud","model":"large-1"},"sent":"redacted","bytes_out_max":512,"rules":["app:cloud-when-redacted","user:cloud"]}]}', X'6E5D9E8EB6DE0AEB5C8DD76452B6A1FFB2D3B959040294FAE2A5F4320FE4C32F');
INSERT INTO entry VALUES (7, 'closed', 3, 1795420800003, 'denied', '-', 1, '{"outcome":"denied","tokens":{"input":0,"output":0},"latency":{"queue_ms":0,"total_ms":0}}', X'DFC378C38ED33A20DAACD16BFF078B674AB0BC8445EE74209A88873A253D5DFC');
INSERT INTO entry VALUES (8, 'opened', 4, 1795420800004, '-', '-', 1, '{"request":"request-4","task":"chat","class":"personal","rules":["app:personal-stays-or-is-redacted"],"findings":{"email":1},"planned":[{"place":{"kind":"on_device","model":"SmolLM2-135M-Instruct","variant":"q4_1","hash":"abababababababababababababababababababababababababababababababab"},"rules":["app:phone-first"]},{"place":{"kind":"remote","endpoint":"cloud-eu","trust":"public_cloud","model":"large-1"},"sent":"redacted","bytes_out_max":512,"rules":["app:cloud-when-redacted","user:cloud"]}]}', X'01B01D70EB0C1FC20582850F05EFE23EDB4DC6184B57171C5EC04BA21B369399');
INSERT INTO entry VALUES (9, 'closed', 4, 1795420800004, 'answered', 'on_device', 1, '{"outcome":"answered","attempts":[{"place":{"kind":"on_device","model":"SmolLM2-135M-Instruct","variant":"q4_1","hash":"abababababababababababababababababababababababababababababababab"},"ended":"answered","rules":["app:phone-first"],"milliseconds":900}],"tokens":{"input":41,"output":120},"latency":{"queue_ms":2,"first_token_ms":110,"total_ms":912},"energy":{"millijoules":5300,"method":"cpu-seconds-1"}}', X'A1928920647CEFCA0776F9EAA245AAC922653572C9F0B496426BC6F2BD4D5FBA');
INSERT INTO feedback VALUES (1, 2, 1795420800005, '{"kind":"thumbs_up"}');
INSERT INTO head VALUES (1, 9, 4, X'A1928920647CEFCA0776F9EAA245AAC922653572C9F0B496426BC6F2BD4D5FBA', X'5C5F6D9408F2055C', X'3E222447985534DA1DCE2000358FCE69AE47288587C4A734F5A4D59590E68F9C');
INSERT INTO migration VALUES (1, 'ledger', 1795420800000);
INSERT INTO migration VALUES (2, 'feedback and state', 1795420800000);
INSERT INTO migration VALUES (3, 'conversations, outbox, answers', 1795420800000);
INSERT INTO state VALUES ('learned', X'74776F2061726D73', X'B3A331BC8FF020F70442476D82D32C623160B05258F2BBCB42FBCA6F387CC49E');
