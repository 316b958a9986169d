<?php
// Peer: the same with the schema. DOMDocument reads the message and holds it against the contract's schema, of which
// PHP keeps nothing from one request to the next: it is compiled anew each time.
// Does: a file of its own for each document, with fsync, before it answers.
// Does not: check strict base64; sync the directory; keep the raw message, header or properties; name deviations; tell a
// redelivery; keep what it refuses.

require __DIR__ . '/common.php';

libxml_use_internal_errors(true);
$message = new DOMDocument();
if (!$message->loadXML(file_get_contents('php://input'), LIBXML_PARSEHUGE | LIBXML_NONET)) {
    refuse('not well-formed');
    return;
}
if (!$message->schemaValidate($_SERVER['BENCH_SCHEMA'])) {
    refuse(libxml_get_errors()[0]->message);
    return;
}
$properties = [];
foreach ($message->getElementsByTagNameNS(TNS, 'Property') as $property) {
    $properties[$property->getAttribute('name')] = $property->textContent;
}
foreach ($message->getElementsByTagNameNS(TNS, 'DocData') as $document) {
    store(base64_decode($document->textContent));
}
acknowledge($message->getElementsByTagNameNS(TNS, 'SubmitId')->item(0)->textContent);
