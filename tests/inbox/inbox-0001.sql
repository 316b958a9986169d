-- An inbox as soapsvc made it before its record was packed: a push that came twice, one in conflict with it, one with
-- two documents, one in quarantine, one that came out of it.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE arrivals (
	push_id VARCHAR(20) NOT NULL, 
	n INTEGER NOT NULL, 
	received_at DATETIME NOT NULL, 
	source_ip TEXT NOT NULL, 
	CONSTRAINT pk_arrivals PRIMARY KEY (push_id, n), 
	CONSTRAINT fk_arrivals_push_id FOREIGN KEY(push_id) REFERENCES pushes (id) ON DELETE CASCADE
);
INSERT INTO "arrivals" VALUES('1k0y1an0c008k3r2x87b',1,'2026-11-23 12:00:00.000000','192.0.2.7');
CREATE TABLE contents (
	push_id VARCHAR(20) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	inline BLOB, 
	file_id VARCHAR(20), 
	CONSTRAINT pk_contents PRIMARY KEY (push_id, sha256), 
	CONSTRAINT fk_contents_push_id FOREIGN KEY(push_id) REFERENCES pushes (id) ON DELETE CASCADE
);
INSERT INTO "contents" VALUES('1k0y1an0c008k3r2x87b','d7d275de721590b930ff56febf8b3605e56e4c7abb14387d36ed49d6f590bb2c',54,X'3C456E76656C6F70653E31E158DDA32020B477EF24241C231FC1000DA25BCAC2F614531E30F8DE5D5569A03C2F456E76656C6F70653E',NULL);
INSERT INTO "contents" VALUES('1k0y1an0c008k3r2x87b','e158dda32020b477ef24241c231fc1000da25bcac2f614531e30f8de5d5569a0',18,X'7265666572656E63652C7374617475730D0A',NULL);
INSERT INTO "contents" VALUES('1k0y1an0c00skde2swsg','1de88908c47252a9de047719280d409a14da02a4a1f6aeac8df5375924f92d30',54,X'3C456E76656C6F70653E31D9298A10D1B0735837DC4BD85DAC641B0F3CEF27A47E5D53A54F2F3F5B2FCFFA3C2F456E76656C6F70653E',NULL);
INSERT INTO "contents" VALUES('1k0y1an0c00skde2swsg','d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa',5,X'6F74686572',NULL);
INSERT INTO "contents" VALUES('1k0y1an0c0077edxama3','bfaa14fe1b27be74e9f225e9eacb64b2c1f707f57a2c9ad384de84aac1f01e85',54,X'3C456E76656C6F70653E32E158DDA32020B477EF24241C231FC1000DA25BCAC2F614531E30F8DE5D5569A03C2F456E76656C6F70653E',NULL);
INSERT INTO "contents" VALUES('1k0y1an0c0077edxama3','7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed',3,X'6F6E65',NULL);
INSERT INTO "contents" VALUES('1k0y1an0c0077edxama3','3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3',3,X'74776F',NULL);
INSERT INTO "contents" VALUES('1k0y1an0c00118aatwsh','a37fe930e0e7ce4f00f4c56af543bac9bc9ef713c9842a4ec4a9e4f62bdc4e8b',54,X'3C456E76656C6F70653E33E158DDA32020B477EF24241C231FC1000DA25BCAC2F614531E30F8DE5D5569A03C2F456E76656C6F70653E',NULL);
INSERT INTO "contents" VALUES('1k0y1an0c0084zmfd36f','82dadd6ab7ac0314877482f0deb7b876acce55d7b4224ce96713c0849bf343ae',54,X'3C456E76656C6F70653E34E158DDA32020B477EF24241C231FC1000DA25BCAC2F614531E30F8DE5D5569A03C2F456E76656C6F70653E',NULL);
INSERT INTO "contents" VALUES('1k0y1an0c0084zmfd36f','e158dda32020b477ef24241c231fc1000da25bcac2f614531e30f8de5d5569a0',18,X'7265666572656E63652C7374617475730D0A',NULL);
CREATE TABLE documents (
	push_id VARCHAR(20) NOT NULL, 
	n INTEGER NOT NULL, 
	filename TEXT, 
	doctype TEXT, 
	detected_type TEXT, 
	charset TEXT, 
	encoding VARCHAR(16) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	properties JSON NOT NULL, 
	CONSTRAINT pk_documents PRIMARY KEY (push_id, n), 
	CONSTRAINT fk_documents_push_id FOREIGN KEY(push_id) REFERENCES pushes (id) ON DELETE CASCADE
);
INSERT INTO "documents" VALUES('1k0y1an0c008k3r2x87b',1,'report_1.csv','text','text/csv','UTF-8','base64',18,'e158dda32020b477ef24241c231fc1000da25bcac2f614531e30f8de5d5569a0','[]');
INSERT INTO "documents" VALUES('1k0y1an0c00skde2swsg',1,'report_1.csv','text','text/csv','UTF-8','base64',5,'d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa','[]');
INSERT INTO "documents" VALUES('1k0y1an0c0077edxama3',1,'report.csv','text','text/csv','UTF-8','base64',3,'7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed','[{"name": "Subject", "value": "Delivery report - job 1000001", "sent_name": "orig_email_subject", "segment": "USER"}, {"name": "StartTime", "value": "2012-11-04T13:05:45Z", "segment": "Default", "at": "2012-11-04T13:05:45+00:00"}]');
INSERT INTO "documents" VALUES('1k0y1an0c0077edxama3',2,'report.csv','text','text/csv','UTF-8','base64',3,'3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3','[]');
INSERT INTO "documents" VALUES('1k0y1an0c00118aatwsh',1,'report_3.csv','text','text/csv','UTF-8','base64',18,'e158dda32020b477ef24241c231fc1000da25bcac2f614531e30f8de5d5569a0','[]');
INSERT INTO "documents" VALUES('1k0y1an0c0084zmfd36f',1,'report_4.csv','text','text/csv','UTF-8','base64',18,'e158dda32020b477ef24241c231fc1000da25bcac2f614531e30f8de5d5569a0','[]');
CREATE TABLE inbox (
	id VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_inbox PRIMARY KEY (id)
);
INSERT INTO "inbox" VALUES('426b6d2856d739b8f89cc1005b9cd890');
CREATE TABLE probe (
	id INTEGER NOT NULL, 
	written_at DATETIME NOT NULL, 
	CONSTRAINT pk_probe PRIMARY KEY (id)
);
CREATE TABLE pushes (
	id VARCHAR(20) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	received_at DATETIME NOT NULL, 
	source_ip TEXT NOT NULL, 
	root TEXT, 
	xdn TEXT, 
	mrn TEXT, 
	submit_id TEXT, 
	status_code TEXT, 
	processing_id TEXT, 
	idempotency_key VARCHAR(80), 
	content_digest VARCHAR(64), 
	conflict_of VARCHAR(20), 
	redeliveries INTEGER NOT NULL, 
	deviations INTEGER NOT NULL, 
	raw_sha256 VARCHAR(64) NOT NULL, 
	raw_bytes BIGINT NOT NULL, 
	kept_bytes BIGINT NOT NULL, 
	verdict JSON NOT NULL, 
	judged_at DATETIME NOT NULL, 
	history JSON NOT NULL, 
	properties JSON NOT NULL, 
	header_blocks JSON NOT NULL, 
	http_headers JSON NOT NULL, 
	CONSTRAINT pk_pushes PRIMARY KEY (id)
);
INSERT INTO "pushes" VALUES('1k0y1an0c008k3r2x87b','accepted','report','2026-11-23 12:00:00.000000','192.0.2.7','{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}JobDocumentTransmitResult','test2','1','S1','0','0A000001-0001-1','job-b5cdf364bcf9c97b4237b2123ef895d2943993701462bc28b7b7ab81c4c535de','8b57863e6f794b6a5b27ec7325ddab6a4c0e15b545aa07f8f3763ba9acc2c41c',NULL,1,0,'d7d275de721590b930ff56febf8b3605e56e4c7abb14387d36ed49d6f590bb2c',54,54,'{"conformance": "strict", "contract_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "deviations": [], "refused_for": []}','2026-11-23 12:00:00.000000','[]','[{"name": "Subject", "value": "Delivery report - job 1", "sent_name": "orig_email_subject", "segment": "USER"}, {"name": "StartTime", "value": "2012-11-04T13:05:45Z", "segment": "Default", "at": "2012-11-04T13:05:45+00:00"}]','{"Response/ProcessingID": "0A000001-0001-1", "Request/Authentication/Password": "***"}','[["Content-Type", "text/xml"], ["Authorization", "***"], ["X-Twice", "1"], ["X-Twice", "2"]]');
INSERT INTO "pushes" VALUES('1k0y1an0c00skde2swsg','accepted','report','2026-11-23 12:00:00.000000','192.0.2.7','{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}JobDocumentTransmitResult','test2','1','S1','0','0A000001-0001-1','job-b5cdf364bcf9c97b4237b2123ef895d2943993701462bc28b7b7ab81c4c535de','32bcdb1dd78b9e60dd9fe6255c57b70a163c350f37a0bd32ec4e866d3624ac84','1k0y1an0c008k3r2x87b',0,0,'1de88908c47252a9de047719280d409a14da02a4a1f6aeac8df5375924f92d30',54,54,'{"conformance": "strict", "contract_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "deviations": [], "refused_for": []}','2026-11-23 12:00:00.000000','[]','[{"name": "Subject", "value": "Delivery report - job 1", "sent_name": "orig_email_subject", "segment": "USER"}, {"name": "StartTime", "value": "2012-11-04T13:05:45Z", "segment": "Default", "at": "2012-11-04T13:05:45+00:00"}]','{"Response/ProcessingID": "0A000001-0001-1", "Request/Authentication/Password": "***"}','[["Content-Type", "text/xml"], ["Authorization", "***"], ["X-Twice", "1"], ["X-Twice", "2"]]');
INSERT INTO "pushes" VALUES('1k0y1an0c0077edxama3','accepted','report','2026-11-23 12:00:00.000000','192.0.2.7','{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}JobDocumentTransmitResult','test2','2','S2','0','0A000001-0001-2','job-6ac27c5abae8537e3f2e1a7ae67b1ac1ef223adaff983525fde097ebeaf776b7','a8c22aad07c0d8822e28ba8bfb53af499e5d2ce49d181e1c6ccffd7394e5241c',NULL,0,0,'bfaa14fe1b27be74e9f225e9eacb64b2c1f707f57a2c9ad384de84aac1f01e85',54,54,'{"conformance": "strict", "contract_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "deviations": [], "refused_for": []}','2026-11-23 12:00:00.000000','[]','[{"name": "Subject", "value": "Delivery report - job 2", "sent_name": "orig_email_subject", "segment": "USER"}, {"name": "StartTime", "value": "2012-11-04T13:05:45Z", "segment": "Default", "at": "2012-11-04T13:05:45+00:00"}]','{"Response/ProcessingID": "0A000001-0001-2", "Request/Authentication/Password": "***"}','[["Content-Type", "text/xml"], ["Authorization", "***"], ["X-Twice", "1"], ["X-Twice", "2"]]');
INSERT INTO "pushes" VALUES('1k0y1an0c00118aatwsh','quarantined','report','2026-11-23 12:00:00.000000','192.0.2.7','{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}JobDocumentTransmitResult','test2','3','S3','0','0A000001-0001-3',NULL,NULL,NULL,0,1,'a37fe930e0e7ce4f00f4c56af543bac9bc9ef713c9842a4ec4a9e4f62bdc4e8b',54,2182,'{"conformance": "strict", "contract_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "deviations": [{"rule": "XSD-001", "path": "/soapenv:Envelope/soapenv:Body", "line": 7, "found": "MRN reads 44a", "wanted": "digits", "mark": "SIBLING"}], "refused_for": [{"rule": "XSD-001", "path": "/soapenv:Envelope/soapenv:Body", "line": 7, "found": "MRN reads 44a", "wanted": "digits", "mark": "SIBLING"}]}','2026-11-23 12:00:00.000000','[]','[{"name": "Subject", "value": "Delivery report - job 3", "sent_name": "orig_email_subject", "segment": "USER"}, {"name": "StartTime", "value": "2012-11-04T13:05:45Z", "segment": "Default", "at": "2012-11-04T13:05:45+00:00"}]','{"Response/ProcessingID": "0A000001-0001-3", "Request/Authentication/Password": "***"}','[["Content-Type", "text/xml"], ["Authorization", "***"], ["X-Twice", "1"], ["X-Twice", "2"]]');
INSERT INTO "pushes" VALUES('1k0y1an0c0084zmfd36f','accepted','report','2026-11-23 12:00:00.000000','192.0.2.7','{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}JobDocumentTransmitResult','test2','4','S4','0','0A000001-0001-4','job-1c10af58ba02089bd1cc666c40174c8f23ae59c15be88b2bd73405fc6e7e18df','11ceadb8ae06e0a0fb504d6c342a7ddaf52339e31a1cb56df1a3b5fd15855e0c',NULL,0,0,'82dadd6ab7ac0314877482f0deb7b876acce55d7b4224ce96713c0849bf343ae',54,54,'{"conformance": "strict", "contract_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "deviations": [], "refused_for": []}','2026-11-24 17:57:22.319774','[{"at": "2026-11-23T12:00:00+00:00", "conformance": "strict", "contract_sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "deviations": [{"rule": "XSD-001", "path": "/soapenv:Envelope/soapenv:Body", "line": 7, "found": "MRN reads 44a", "wanted": "digits", "mark": "SIBLING"}], "refused_for": [{"rule": "XSD-001", "path": "/soapenv:Envelope/soapenv:Body", "line": 7, "found": "MRN reads 44a", "wanted": "digits", "mark": "SIBLING"}]}]','[{"name": "Subject", "value": "Delivery report - job 4", "sent_name": "orig_email_subject", "segment": "USER"}, {"name": "StartTime", "value": "2012-11-04T13:05:45Z", "segment": "Default", "at": "2012-11-04T13:05:45+00:00"}]','{"Response/ProcessingID": "0A000001-0001-4", "Request/Authentication/Password": "***"}','[["Content-Type", "text/xml"], ["Authorization", "***"], ["X-Twice", "1"], ["X-Twice", "2"]]');
CREATE TABLE quarantine_use (
	source_ip TEXT NOT NULL, 
	kept_bytes BIGINT NOT NULL, 
	CONSTRAINT pk_quarantine_use PRIMARY KEY (source_ip)
);
INSERT INTO "quarantine_use" VALUES('*',2182);
INSERT INTO "quarantine_use" VALUES('192.0.2.7',2182);
CREATE UNIQUE INDEX uq_pushes_key_and_content ON pushes (idempotency_key, content_digest);
CREATE INDEX ix_pushes_state_id ON pushes (state, id);
CREATE UNIQUE INDEX uq_pushes_first_of_key ON pushes (idempotency_key) WHERE conflict_of IS NULL;
CREATE INDEX ix_pushes_quarantined_source_id ON pushes (source_ip, id) WHERE state = 'quarantined';
CREATE INDEX ix_pushes_conflict_of ON pushes (conflict_of) WHERE conflict_of IS NOT NULL;
CREATE INDEX ix_pushes_redeliveries ON pushes (redeliveries) WHERE redeliveries > 0;
CREATE INDEX ix_contents_file_id_sha256 ON contents (file_id, sha256) WHERE file_id IS NOT NULL;
COMMIT;
