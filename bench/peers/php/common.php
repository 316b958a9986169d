<?php
// What the PHP peers share. Environment by nginx: BENCH_FOLDER, BENCH_SCHEMA, BENCH_WSDL.

const TNS = 'http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10';

// The document is on disk when this returns. PHP cannot sync a directory: its name may be lost with the power.
function store(string $document): void
{
    $file = fopen($_SERVER['BENCH_FOLDER'] . '/' . bin2hex(random_bytes(16)), 'x');
    fwrite($file, $document);
    fsync($file);
    fclose($file);
}

function now(): string
{
    return gmdate('Y-m-d\TH:i:s\Z');
}

function acknowledge(string $submit_id): void
{
    header('Content-Type: text/xml; charset=utf-8');
    echo '<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        . '<JobDocumentTransmitResultAck xmlns="' . TNS . '"><Status><StatusCode>0</StatusCode><SubmissionTime>' . now()
        . '</SubmissionTime><CompletionTime>' . now() . '</CompletionTime></Status><SubmitId>'
        . htmlspecialchars($submit_id, ENT_XML1) . '</SubmitId></JobDocumentTransmitResultAck></e:Body></e:Envelope>';
}

function refuse(string $why): void
{
    http_response_code(500);
    header('Content-Type: text/xml; charset=utf-8');
    echo '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>e:Client</faultcode>'
        . '<faultstring>' . htmlspecialchars($why, ENT_XML1) . '</faultstring></e:Fault></e:Body></e:Envelope>';
}
