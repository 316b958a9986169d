/* Peer: gSOAP in C, the stubs by wsdl2h and soapcpp2 from the contract's WSDL. server PORT FOLDER THREADS
 *
 * Does: strict types and occurrence by the generated code (SOAP_XML_STRICT), which is most of the schema; decodes each
 * document to a file of its own, with fsync of file and directory, before it answers. One thread for each open
 * connection, of THREADS.
 *
 * Does not: check strict base64 (gSOAP skips strangers); take xs:integer for more than text; keep the raw message, header
 * or properties; name deviations; tell a redelivery; keep what it refuses.
 */
#include "soapH.h"
#include "JobDocumentTransmitResultBinding.nsmap"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE 1024

static const char *folder;
static atomic_ulong documents;
static SOAP_SOCKET queue[QUEUE];
static int queued_first, queued_n;
static pthread_mutex_t queue_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;

static int store(const char *document, int size) {
    char file[4096];
    int done = 0, fd;
    snprintf(file, sizeof file, "%s/%d-%lu", folder, (int)getpid(), atomic_fetch_add(&documents, 1));
    fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0) return -1;
    while (done < size) {
        ssize_t n = write(fd, document + done, size - done);
        if (n < 0) break;
        done += n;
    }
    if (done < size || fsync(fd)) {
        close(fd);
        return -1;
    }
    close(fd);
    fd = open(folder, O_RDONLY);
    if (fd < 0) return -1;
    done = fsync(fd);
    close(fd);
    return done;
}

int __ns1__JobDocumentTransmitResult(struct soap *soap, struct ns1__JobDocumentTransmitResultType *request,
                                     struct ns1__JobDocumentTransmitResultAckType *ack) {
    if (!request) return soap_sender_fault(soap, "no result", NULL);
    for (int i = 0; i < request->__sizeJobDocumentData; i++) {
        struct ns1__JobDocumentDataType *data = &request->JobDocumentData[i];
        for (int k = 0; k < data->__sizeDocument; k++) {
            int size = 0;
            const char *document;
            if (!data->Document[k].DocData) continue;
            document = soap_base642s(soap, data->Document[k].DocData->__item, NULL, 0, &size);
            if (!document) return soap->error;
            if (store(document, size)) return soap_receiver_fault(soap, "cannot write", NULL);
        }
    }
    ack->SubmitId = request->SubmitId;
    ack->Status = soap_malloc(soap, sizeof *ack->Status);
    if (!ack->Status) return soap->error = SOAP_EOM;
    soap_default_ns1__StatusType(soap, ack->Status);
    ack->Status->StatusCode = "0";
    ack->Status->SubmissionTime = ack->Status->CompletionTime = time(NULL);
    return SOAP_OK;
}

static void *work(void *given) {
    struct soap *soap = given;
    for (;;) {
        pthread_mutex_lock(&queue_mutex);
        while (!queued_n) pthread_cond_wait(&queue_filled, &queue_mutex);
        soap->socket = queue[queued_first];
        queued_first = (queued_first + 1) % QUEUE;
        queued_n--;
        pthread_mutex_unlock(&queue_mutex);
        soap_serve(soap);
        soap_destroy(soap);
        soap_end(soap);
    }
    return NULL;
}

int main(int argc, char **argv) {
    struct soap soap;
    if (argc != 4) return 2;
    folder = argv[2];
    soap_init2(&soap, SOAP_IO_KEEPALIVE | SOAP_XML_STRICT, SOAP_IO_KEEPALIVE | SOAP_XML_STRICT);
    soap.max_keep_alive = 0; /* as long as the sender likes */
    soap.bind_flags = SO_REUSEADDR;
    soap.recv_timeout = soap.send_timeout = 120;
    if (!soap_valid_socket(soap_bind(&soap, "127.0.0.1", atoi(argv[1]), 128))) {
        soap_print_fault(&soap, stderr);
        return 1;
    }
    for (int i = 0; i < atoi(argv[3]); i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, soap_copy(&soap))) return 1;
    }
    for (;;) {
        SOAP_SOCKET socket = soap_accept(&soap);
        if (!soap_valid_socket(socket)) continue;
        pthread_mutex_lock(&queue_mutex);
        if (queued_n < QUEUE) {
            queue[(queued_first + queued_n++) % QUEUE] = socket;
            pthread_cond_signal(&queue_filled);
        } else {
            soap_closesocket(socket);
        }
        pthread_mutex_unlock(&queue_mutex);
    }
}
