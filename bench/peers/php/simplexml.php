<?php
// Peer: what the vendor's customers write in PHP. SimpleXML reads the message, base64_decode the document.
// Does: a file of its own for each document, with fsync, before it answers.
// Does not: hold anything against the schema; check strict base64; sync the directory; keep the raw message, header or
// properties; name deviations; tell a redelivery; keep what it refuses.

require __DIR__ . '/common.php';

$envelope = simplexml_load_string(file_get_contents('php://input'), SimpleXMLElement::class, LIBXML_PARSEHUGE | LIBXML_NONET);
if ($envelope === false) {
    refuse('not well-formed');
    return;
}
$result = $envelope->children('http://schemas.xmlsoap.org/soap/envelope/')->Body->children(TNS)->JobDocumentTransmitResult;
$properties = [];
foreach ($result->JobDocumentData as $data) {
    foreach ($data->JobDocumentDataExtension->Property as $property) {
        $properties[(string) $property->attributes()['name']] = (string) $property;
    }
    foreach ($data->Document as $document) {
        store(base64_decode((string) $document->DocData));
    }
}
acknowledge((string) $result->SubmitId);
