// MediaPipe's FaceDetector, short range, on the CPU.

import { FaceDetector, FilesetResolver } from '/peers/@mediapipe/tasks-vision/vision_bundle.mjs';

export async function load(picture) {
  const files = await FilesetResolver.forVisionTasks('/peers/@mediapipe/tasks-vision/wasm');
  const modelAssetPath = '/peers/@mediapipe/face_detection/face_detection_short_range.tflite';
  const detector = await FaceDetector.createFromOptions(files, {
    baseOptions: { modelAssetPath, delegate: 'CPU' },
    runningMode: 'IMAGE',
  });
  return { find: () => detector.detect(picture).detections.length };
}
