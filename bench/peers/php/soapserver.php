<?php
// Peer: PHP's SoapServer with the contract's WSDL, which it keeps between requests.
// Does: types by the WSDL, loosely; a file of its own for each document, with fsync, before it answers.
// Does not: hold the message against the schema (SoapServer takes much that is not valid); check strict base64; sync the
// directory; keep the raw message, header or properties; name deviations; tell a redelivery; keep what it refuses.

require __DIR__ . '/common.php';

class Receiver
{
    public function JobDocumentTransmitResult(object $request): array
    {
        foreach ($request->JobDocumentData as $data) {
            foreach ($data->Document as $document) {
                store(base64_decode($document->DocData->_));
            }
        }
        $status = ['StatusCode' => 0, 'StatusMessage' => 'OK', 'SubmissionTime' => now(), 'CompletionTime' => now()];
        return ['Status' => $status, 'SubmitId' => $request->SubmitId];
    }
}

$server = new SoapServer($_SERVER['BENCH_WSDL'], [
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    'cache_wsdl' => WSDL_CACHE_MEMORY,
]);
$server->setObject(new Receiver());
$server->handle();
